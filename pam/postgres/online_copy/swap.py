"""Swap: the new table gets the live one's name, in one short transaction that ends or rolls back whole."""

import time
from logging import getLogger

from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql

from pam.postgres import activity, catalog, locks
from pam.postgres.catalog import PLAIN, Relation
from pam.postgres.errors import LockUnavailable
from pam.postgres.locks import with_locks
from pam.postgres.online_copy import capture, obstacles
from pam.postgres.online_copy.dress import Dress
from pam.postgres.online_copy.errors import ObstaclesFound, OldSnapshot, StartAgain, TooBusy, TooFarBehind
from pam.postgres.online_copy.move import OLD, TARGET, Move, suffixed
from pam.postgres.online_copy.replay import replay, replay_all, waiting

logger = getLogger("pam.migrations")

# What may be replayed while others wait: a few milliseconds' worth.
MOST_KEYS = 100
ATTEMPTS = 20
# Seconds.
FIRST_LOOK = 0.001


def renames(move: Move, dress: Dress) -> list[sql.Composed]:
    """The statements of the swap. Lock: ACCESS EXCLUSIVE on both tables, taken beforehand; none on a referenced one."""
    schema = move.source.schema
    statements = [
        sql.SQL("ALTER TABLE {} RENAME TO {}").format(
            move.source.identifier, sql.Identifier(suffixed(move.source.name, OLD))
        ),
        sql.SQL("ALTER TABLE {} RENAME TO {}").format(move.target, sql.Identifier(move.source.name)),
    ]
    for key in dress.keys:
        for name, new_name in ((key.name, suffixed(key.name, OLD)), (suffixed(key.name, TARGET), key.name)):
            statements.append(
                sql.SQL("ALTER INDEX {} RENAME TO {}").format(sql.Identifier(schema, name), sql.Identifier(new_name))
            )
    return statements


def swap(connection: BaseDatabaseWrapper, move: Move, dress: Dress) -> None:
    """Take the lock, replay the last keys, rename.

    Raises StartAgain, ObstaclesFound, OldSnapshot, TooBusy, LockUnavailable; then nothing is swapped.

    Lock: ACCESS EXCLUSIVE on the new table, then on the live one (and its partitions), then on the log of keys, asked
    for 50 ms at a time with pauses; held for some milliseconds, whatever the number of rows and months. Between tries
    the copy catches up.
    """
    target, log = (
        catalog.relation(connection, one.as_string(connection.connection)) for one in (move.target, move.keys)
    )
    if target is None or log is None:
        raise StartAgain("somebody dropped the new table, or the log of keys")
    # The new one first: an autovacuum of it must not be waited for while others wait for the live one. The log of keys
    # last, when only who deletes what the live table refers to can still have it.
    live = (move.source, *catalog.partitions(connection, move.source))
    wanted = [(table, "ACCESS EXCLUSIVE") for table in (target, *live, log)]
    for attempt in range(1, ATTEMPTS + 1):
        _require_verified(connection, move)
        replay_all(connection, move, dress, few=MOST_KEYS // 4)
        _wait_for_older_snapshots(connection, move)
        if waiting(connection, move) > MOST_KEYS:
            logger.info("%s: changes came while older transactions were waited for (try %d)", move.source, attempt)
            continue
        # Under the lock too; here so that it ends early, and that the server has read the catalog before it is locked.
        _require_free(connection, move)
        try:
            with_locks(connection, wanted, lambda: _swap(connection, move, dress))
        except TooFarBehind:
            logger.info("%s: too many changes came while the swap waited (try %d); catching up", move.source, attempt)
            continue
        except LockUnavailable as error:
            if error.holders:
                raise
            # A row that the last keys refer to was held. Who still holds it, the catch-up tells.
            continue
        return
    raise TooBusy(str(move.source), ATTEMPTS)


def log_of(move: Move) -> Relation:
    """The log of keys, for the plan: as it will be, without an oid."""
    return Relation(0, move.source.schema, move.keys.strings[-1], PLAIN)


def _require_verified(connection: BaseDatabaseWrapper, move: Move) -> None:
    record = capture.recorded(connection, move)
    if record is None or record.verified_at is None:
        raise StartAgain("the copy was never verified")


def _wait_for_older_snapshots(connection: BaseDatabaseWrapper, move: Move) -> None:
    """A table that takes another's place is not MVCC-safe: to a snapshot from before the copy caught up, what was
    replayed since is missing, or is as it was before.

    Who has read the live table in that transaction holds a lock on it, which the swap waits for anyhow; here are those
    who may still turn to it. https://www.postgresql.org/docs/current/mvcc-caveats.html
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_catalog.clock_timestamp()")
        (caught_up,) = cursor.fetchone()
    for attempt in range(1, locks.BRIEF.attempts + 1):
        sessions = activity.reading_as_of_before(connection, caught_up)
        if not sessions:
            return
        # Most end within a moment, and while they are waited for, changes come that must be replayed again.
        time.sleep(min(FIRST_LOOK * 2**attempt, locks.BRIEF.pause(attempt)))
    raise OldSnapshot(str(move.source), sessions)


def _swap(connection: BaseDatabaseWrapper, move: Move, dress: Dress) -> None:
    began = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")
        cursor.execute(
            sql.SQL("SELECT count(*) FROM (SELECT FROM {} LIMIT {}) few").format(move.keys, sql.Literal(MOST_KEYS + 1))
        )
        if cursor.fetchone()[0] > MOST_KEYS:
            raise TooFarBehind
        _require_free(connection, move)
        replay(cursor, move, dress, move.source.identifier, MOST_KEYS)
        # A deferred foreign key would refuse a rename while its check is outstanding.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for statement in renames(move, dress):
            cursor.execute(statement)
    logger.info("%s: swapped; its lock was held for %.0f ms", move.source, (time.monotonic() - began) * 1000)


def _require_free(connection: BaseDatabaseWrapper, move: Move) -> None:
    require_unchanged(connection, move)
    found = obstacles.hanging_on(connection, move.source, move.layout.time)
    if found:
        raise ObstaclesFound(str(move.source), [str(obstacle) for obstacle in found])


def require_unchanged(connection: BaseDatabaseWrapper, move: Move) -> None:
    """Raise StartAgain when somebody has changed the live table's shape, or its triggers, since the capture began."""
    record = capture.recorded(connection, move)
    if record is None or record.fingerprint != capture.fingerprint(connection, move):
        raise StartAgain("somebody changed its columns, indexes, constraints, triggers or months meanwhile")
