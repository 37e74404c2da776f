"""The steps of a move in their order. Each reads from the catalog where it is: kill it at any moment, run it again."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from logging import getLogger

from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper

from pam.postgres import catalog
from pam.postgres.errors import FOREIGN_KEY_VIOLATION, NOT_IN_PREREQUISITE_STATE, TableMissing, build_failed, sqlstate
from pam.postgres.locks import is_open
from pam.postgres.long_statement import call_long
from pam.postgres.online_copy import capture, cleanup, obstacles, referenced, rows, steps
from pam.postgres.online_copy.build import span_of
from pam.postgres.online_copy.dress import Dress, read_dress
from pam.postgres.online_copy.errors import MoveStopped, ObstaclesFound, StartAgain
from pam.postgres.online_copy.move import Layout, Move
from pam.postgres.online_copy.parallel import run
from pam.postgres.online_copy.swap import require_unchanged
from pam.postgres.run_lock import exclusive_run

logger = getLogger("pam.migrations")

ATTEMPTS = 3


def convert(connection: BaseDatabaseWrapper, layout: Layout, *, to_months: bool, now: datetime) -> None:
    """Make the table one of monthly partitions, or a plain one again, beside its readers and writers.

    Not inside a transaction. Interrupted in any way, it goes on where it was when it is called again. Locks: see the
    steps' modules; no reader or writer waits longer than some ten milliseconds. Raises MenshunError: RunInProgress,
    TableMissing, ObstaclesFound, LockUnavailable, NotEqual, MoveStopped, BuildFailed.
    """
    with exclusive_run(connection), _explained(connection, layout):
        for _ in range(ATTEMPTS):
            move = _move(connection, layout, to_months)
            try:
                if is_done(connection, move):
                    if _is_under_way(connection, move):
                        # Prepared to leave what it is, and now it is to stay.
                        cleanup.abandon(connection, move)
                else:
                    dress = _prepare(connection, move, now)
                    run(connection, steps.swapping(connection, move, dress))
                _finish(connection, layout)
            except StartAgain as reason:
                logger.warning("%s: begins anew: %s", move.source, reason)
                cleanup.abandon(connection, move)
            else:
                return
        raise _never_at_rest(layout)


def prepare(connection: BaseDatabaseWrapper, layout: Layout, *, to_months: bool, now: datetime) -> bool:
    """All of `convert` but the swap; changes are captured from then on until `convert` or `abandon`.

    Returns whether there is anything to swap: not if the table is what it shall be already. Raises as `convert`.
    """
    with exclusive_run(connection), _explained(connection, layout):
        for _ in range(ATTEMPTS):
            move = _move(connection, layout, to_months)
            if is_done(connection, move):
                if _is_under_way(connection, move):
                    logger.warning(
                        "%s: its way to the other form is prepared, and each change is captured for it. To end that: "
                        "python manage.py pam_partitions abandon",
                        move.source,
                    )
                return False
            try:
                _prepare(connection, move, now)
            except StartAgain as reason:
                logger.warning("%s: begins anew: %s", move.source, reason)
                cleanup.abandon(connection, move)
            else:
                return True
        raise _never_at_rest(layout)


def _never_at_rest(layout: Layout) -> ObstaclesFound:
    return ObstaclesFound(layout.table, [f"It was changed under the copy {ATTEMPTS} times. Let it rest first."])


def abandon(connection: BaseDatabaseWrapper, layout: Layout) -> None:
    """Take away what a conversion has prepared, in either direction; a swapped one is finished instead."""
    with exclusive_run(connection), _explained(connection, layout):
        _finish(connection, layout)
        cleanup.abandon(connection, _move(connection, layout, to_months=True))


def is_done(connection: BaseDatabaseWrapper, move: Move) -> bool:
    """Whether the table is what it shall be; the old one may still be there."""
    return move.source.is_partitioned == move.to_months


def _move(connection: BaseDatabaseWrapper, layout: Layout, to_months: bool) -> Move:
    source = catalog.relation(connection, layout.table)
    if source is None:
        raise TableMissing(layout.table)
    return Move(source, layout, to_months)


def _finish(connection: BaseDatabaseWrapper, layout: Layout) -> None:
    """After a swap, whoever made it: the old table and the working tables go."""
    source = catalog.relation(connection, layout.table)
    if source is None:
        raise TableMissing(layout.table)
    move = Move(source, layout, source.is_partitioned)
    if capture.recorded(connection, move) is None:
        # The record goes last. Without one, what has such a name is somebody else's.
        return
    old = catalog.relation(connection, move.old.as_string(connection.connection))
    if old is None and _is_under_way(connection, move):
        return
    followed = referenced.followed(connection, move)
    if old is None:
        run(connection, steps.ending(move, [], followed))
    else:
        months, keys = catalog.partitions(connection, old), read_dress(connection, old).foreign_keys
        run(connection, steps.ending(move, steps.dropping(old, months, keys), followed))
        logger.info("%s: the old table is dropped", source)


def _is_under_way(connection: BaseDatabaseWrapper, move: Move) -> bool:
    """Whether the record speaks of a move that has not been swapped yet."""
    record = capture.recorded(connection, move)
    return record is not None and record.to_months != move.source.is_partitioned


def _prepare(connection: BaseDatabaseWrapper, move: Move, now: datetime) -> Dress:
    """Everything before the swap, as far as it is not done yet."""
    record = capture.recorded(connection, move)
    if record is not None and record.to_months != move.to_months:
        raise StartAgain("a conversion in the other direction was under way")
    if record is None:
        # The old table of the last swap is finished before anything new has its names.
        _finish(connection, move.layout)
        # They read all rows some times, and Ctrl-C need not wait for that.
        found = call_long(connection, lambda: obstacles.find(connection, move, now))
        if found:
            raise ObstaclesFound(str(move.source), [str(obstacle) for obstacle in found])
    span = record.span if record else call_long(connection, lambda: span_of(connection, move, now))
    dress = read_dress(connection, move.source)
    run(connection, steps.beginning(connection, move, dress, span))
    require_unchanged(connection, move)
    try:
        run(connection, steps.making(connection, move, dress, span))
    except Error as error:
        if is_open(connection):
            _require_as_begun(connection, move, error)
        raise
    return dress


def _require_as_begun(connection: BaseDatabaseWrapper, move: Move, error: Error) -> None:
    """Raise StartAgain where the copy cannot be finished, as its rows are not those of the live table any more.

    Raises ObstaclesFound where somebody has put an obstacle in the way since.
    """
    # A table that was rewritten has its rows elsewhere: some were copied twice, others not at all.
    require_unchanged(connection, move)
    if sqlstate(error) == NOT_IN_PREREQUISITE_STATE:
        # A publication of all tables, say, which refuses to change a working table without a key.
        found = obstacles.hanging_on(connection, move.source, move.layout.time, our_views=move.to_months)
        if found:
            raise ObstaclesFound(str(move.source), [str(obstacle) for obstacle in found]) from error
    if sqlstate(error) == FOREIGN_KEY_VIOLATION:
        raise StartAgain("rows that others refer to went away after they were copied") from error


@contextmanager
def _explained(connection: BaseDatabaseWrapper, layout: Layout) -> Iterator[None]:
    """An interrupt and a server's error end in a sentence that says what is kept and what to do next."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise _stopped(connection, layout) from interrupt
    except Error as error:
        raise build_failed(
            error, f"Converting {layout.table}", is_open(connection), "What is copied is kept."
        ) from error


def _stopped(connection: BaseDatabaseWrapper, layout: Layout) -> MoveStopped:
    if not is_open(connection):
        return MoveStopped.without_connection(layout.table)
    move = _move(connection, layout, to_months=True)
    record = capture.recorded(connection, move)
    if record is None:
        return MoveStopped.before_the_copy(layout.table)
    if record.to_months == move.source.is_partitioned:
        return MoveStopped.after_the_swap(layout.table)
    return MoveStopped.before_the_swap(layout.table, rows.chunks_left(connection, move)[1])
