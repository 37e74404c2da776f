"""Timeouts and bounded retries. This is the only place that sets a timeout.

How we wait for a lock depends on whom the waiting itself hinders. A request for a strong lock makes every later
client queue behind it, so it is given up after a blink and tried again after a pause, outside the queue
(`BRIEF`). A request that no reader or writer conflicts with may stay longer (`CALM`): long enough for the server to
cancel an autovacuum in its way, which it does after `deadlock_timeout`, one second unless it was changed.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import groupby
from logging import getLogger
from operator import itemgetter
from typing import TypeVar

from django.db import Error, OperationalError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from psycopg2 import sql

from pam.postgres import activity
from pam.postgres.catalog import Relation, partitions
from pam.postgres.errors import OTHERS_WERE_FIRST, QUERY_CANCELED, LockUnavailable, sqlstate

logger = getLogger("pam.migrations")
T = TypeVar("T")

# How long a concurrent build waits for older transactions before it gives up.
HOUR_MS = 60 * 60 * 1000

TRANSACTION_TIMEOUT_SINCE = 17_00_00

# Whatever a role or database has as its default: what is read under a lock must be as of a time after it was granted,
# which only READ COMMITTED does; a number compared as text must have all its digits; who holds a snapshot for
# others idles in a transaction meanwhile; and a session is idle while it waits, or is throttled, and between two steps.
OUR_DEFAULTS = {
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "default_transaction_isolation": "read committed",
    "extra_float_digits": "1",
}
READ_COMMITTED = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"

# https://www.postgresql.org/docs/current/explicit-locking.html#TABLE-LOCK-COMPATIBILITY
_STRONG = ("ShareUpdateExclusiveLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock")
CONFLICTS = {
    "ACCESS SHARE": ("AccessExclusiveLock",),
    # Of rows: who locks one, or changes it, has one of these locks on its table.
    "FOR KEY SHARE": ("RowShareLock", "RowExclusiveLock", "ShareLock", *_STRONG),
    "SHARE UPDATE EXCLUSIVE": ("ShareLock", *_STRONG),
    "SHARE": ("RowExclusiveLock", *_STRONG),
    "SHARE ROW EXCLUSIVE": ("RowExclusiveLock", "ShareLock", *_STRONG),
    "EXCLUSIVE": ("RowShareLock", "RowExclusiveLock", "ShareLock", *_STRONG),
    "ACCESS EXCLUSIVE": ("AccessShareLock", "RowShareLock", "RowExclusiveLock", "ShareLock", *_STRONG),
}


@dataclass(frozen=True)
class Patience:
    """How long one try may wait for a lock, how often it is tried, and how the pauses between tries grow (seconds)."""

    lock_timeout_ms: int
    attempts: int
    first_pause: float
    longest_pause: float

    def pause(self, attempt: int) -> float:
        """Seconds to stay away after try number `attempt` (from 1): doubled each time, capped, half of it random."""
        longest = min(self.longest_pause, self.first_pause * 2 ** (attempt - 1))
        return random.uniform(longest / 2, longest)  # noqa: S311 (spreads retries, guards nothing)


ONLY = sql.SQL("ONLY ")

BRIEF = Patience(lock_timeout_ms=50, attempts=40, first_pause=0.05, longest_pause=2)
# So that a wait for a single lock ends as what it is.
MOMENT_MS = 5
CALM = Patience(lock_timeout_ms=2000, attempts=10, first_pause=0.2, longest_pause=5)


def timeout_statements(lock_ms: int) -> tuple[str, ...]:
    """The statements that `timeouts` amounts to, for `sqlmigrate` to print."""
    return (f"SET lock_timeout = {lock_ms}", "SET statement_timeout = 0")


def reset_statements() -> tuple[str, ...]:
    """The statements that end `timeout_statements` in a session that had no values of its own."""
    return ("RESET lock_timeout", "RESET statement_timeout")


@contextmanager
def timeouts(connection: BaseDatabaseWrapper, *, lock_ms: int, statement_ms: int = 0) -> Iterator[None]:
    """Bound the wait for each lock, and each statement if `statement_ms`; lift other timeouts; put all back at the end.

    They hold for the session, so the block may not begin inside a transaction that could be aborted within it.
    Transactions that begin in the block are READ COMMITTED unless they say otherwise.
    A role's `statement_timeout` (and, from PostgreSQL 17 on, `transaction_timeout`) is meant for its queries; a build
    that it ends would leave an INVALID index, at each try.
    """
    bounds = {"lock_timeout": str(lock_ms), "statement_timeout": str(statement_ms)}
    with _settings(connection, {**_our_defaults(connection), **bounds}):
        yield


@contextmanager
def undisturbed(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """No default of the role holds in the block that could end or mislead a run (OUR_DEFAULTS)."""
    with _settings(connection, _our_defaults(connection)):
        yield


def _our_defaults(connection: BaseDatabaseWrapper) -> dict[str, str]:
    connection.ensure_connection()
    knows_transactions = connection.connection.info.server_version >= TRANSACTION_TIMEOUT_SINCE
    return {**OUR_DEFAULTS, **({"transaction_timeout": "0"} if knows_transactions else {})}


@contextmanager
def read_only(connection: BaseDatabaseWrapper, statement_ms: int) -> Iterator[None]:
    """A read-only transaction whose statements end after so many milliseconds (SQLSTATE 57014)."""
    with transaction.atomic(using=connection.alias, durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(statement_ms)])
        yield


@contextmanager
def statement_limit(connection: BaseDatabaseWrapper, statement_ms: int) -> Iterator[None]:
    """A transaction, or a savepoint, of which no statement runs longer than so many milliseconds (SQLSTATE 57014).

    A lower limit that the session has already stays. What comes after the block has the limit that was there before.
    """
    is_outermost = not connection.in_atomic_block
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        before = _lower(cursor, "statement_timeout", statement_ms, is_local=True)
        yield
        if not is_outermost:
            cursor.execute("SELECT pg_catalog.set_config('statement_timeout', %s, true)", [before])


@contextmanager
def lock_limit(connection: BaseDatabaseWrapper, lock_ms: int) -> Iterator[None]:
    """Nothing in the block waits for a lock longer than so many milliseconds (SQLSTATE 55P03), in transactions or not.

    A lower limit that the session has already stays. What comes after the block has the limit that was there before.
    """
    with connection.cursor() as cursor:
        before = _lower(cursor, "lock_timeout", lock_ms, is_local=False)

    def put_back() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_catalog.set_config('lock_timeout', %s, false)", [before])

    with followed_by(connection, put_back):
        yield


def _lower(cursor: CursorWrapper, timeout: str, most_ms: int, *, is_local: bool) -> str:
    """Lower a timeout to so many milliseconds, for the transaction or the session; returns what it was."""
    cursor.execute(
        "SELECT setting, pg_catalog.set_config(name, least(nullif(setting::bigint, 0), %s)::text, %s)"
        " FROM pg_catalog.pg_settings WHERE name = %s",
        [most_ms, is_local, timeout],
    )
    before, _ = cursor.fetchone()
    return str(before)


@contextmanager
def _settings(connection: BaseDatabaseWrapper, settings: dict[str, str]) -> Iterator[None]:
    before = _set(connection, settings)
    with followed_by(connection, lambda: _set(connection, before)):
        yield


@contextmanager
def followed_by(connection: BaseDatabaseWrapper, clean_up: Callable[[], object]) -> Iterator[None]:
    """Clean the session up after the block, as long as it has a server.

    When the block fails, its error is the one to tell: with it the server may be gone, which the driver learns only
    from the next statement, and a session that is gone needs no cleaning.
    """
    try:
        yield
    except BaseException:
        if is_open(connection):
            with suppress(Error):
                clean_up()
        raise
    if is_open(connection):
        clean_up()


def _set(connection: BaseDatabaseWrapper, settings: dict[str, str]) -> dict[str, str]:
    """Give the session these settings; returns what they were.

    In two statements, however many there are: each step of a run asks for them and puts them back.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(['current_setting(%s)'] * len(settings))}", list(settings))
        before = dict(zip(settings, cursor.fetchone(), strict=True))
        pairs = [text for pair in settings.items() for text in pair]
        cursor.execute(f"SELECT {', '.join(['set_config(%s, %s, false)'] * len(settings))}", pairs)
    return before


def is_open(connection: BaseDatabaseWrapper) -> bool:
    """Whether the session still has its server, as far as the driver knows from the last statement."""
    return connection.connection is not None and not connection.connection.closed


def with_retries(
    connection: BaseDatabaseWrapper, patience: Patience, mode: str, relations: list[Relation], action: Callable[[], T]
) -> T:
    """Run `action`, which asks for a lock of `mode` on `relations`, until it gets it or patience is used up.

    Each try is a statement or transaction of its own, so that between two tries we hold nothing and stand in no queue.
    Raises LockUnavailable, which names the sessions in the way.
    """
    for attempt in range(1, patience.attempts + 1):
        try:
            with timeouts(connection, lock_ms=patience.lock_timeout_ms):
                return action()
        except OperationalError as error:
            if not isinstance(error, _TimeIsUp) and sqlstate(error) not in OTHERS_WERE_FIRST:
                raise
            holders = activity.holding(connection, [relation.oid for relation in relations], CONFLICTS[mode])
            if attempt == patience.attempts:
                raise LockUnavailable(mode, [str(relation) for relation in relations], attempt, holders) from error
            logger.debug("no %s lock on %s at try %d: %s", mode, relations, attempt, holders)
        time.sleep(patience.pause(attempt))
    raise AssertionError("a Patience has at least one attempt")


def with_table_locks(
    connection: BaseDatabaseWrapper,
    tables: list[Relation],
    mode: str,
    action: Callable[[], None],
    *,
    only: bool = False,
) -> None:
    """Run `action` in a short transaction that holds locks of `mode` on `tables` (with partitions unless `only`).

    SHARE UPDATE EXCLUSIVE comes first, calmly: it makes an autovacuum give way and hinders no reader or writer. Only
    then are the strong locks asked for, briefly each. Inside a transaction it is a savepoint, which gives the locks
    back at each failed try, and at success the locks stay until the end. Raises LockUnavailable, nothing changed.
    """
    scope = ONLY if only else sql.SQL("")
    wanted = [(table, mode) for table in tables]
    _with_locks(connection, wanted, action, scope)


def with_locks(connection: BaseDatabaseWrapper, wanted: list[tuple[Relation, str]], action: Callable[[], T]) -> T:
    """As `with_table_locks`, with a mode for each table (alone, without partitions), asked for in this order.

    What nobody uses stands first, then referenced tables, so that who waits for them holds nothing that others wait
    for. An autovacuum may be at work on what nobody uses.
    """
    return _with_locks(connection, wanted, action, ONLY)


def _with_locks(
    connection: BaseDatabaseWrapper, wanted: list[tuple[Relation, str]], action: Callable[[], T], scope: sql.SQL
) -> T:
    relations = [table for table, _ in wanted]
    if not scope.string:
        relations += [part for table, _ in wanted for part in partitions(connection, table)]
    strongest = max((mode for _, mode in wanted), key=lambda mode: len(CONFLICTS[mode]))

    # In a savepoint it is too late to say so; there, nothing is read under the lock.
    is_outermost = not connection.in_atomic_block

    def locked() -> T:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            if is_outermost:
                cursor.execute(READ_COMMITTED)
            _limit_waits(cursor, CALM.lock_timeout_ms)
            cursor.execute(lock_statement([table for table, _ in wanted], "SHARE UPDATE EXCLUSIVE", scope))
            began = time.monotonic()
            for mode, group in groupby(wanted, key=itemgetter(1)):
                # Who waits for the first of them waits for all: together they have the time of one.
                left_ms = BRIEF.lock_timeout_ms - int((time.monotonic() - began) * 1000)
                _lock_within(cursor, max(1, left_ms), lock_statement([table for table, _ in group], mode, scope))
            cursor.execute("SET LOCAL statement_timeout = 0")
            return action()

    return with_retries(connection, BRIEF, strongest, relations, locked)


def lock_statement(tables: list[Relation], mode: str, scope: sql.SQL = ONLY) -> sql.Composed:
    """The statement that takes these locks, in this order; each wait is bounded by `lock_timeout`."""
    names = sql.SQL(", ").join(scope + table.identifier for table in tables)
    return sql.SQL("LOCK TABLE {} IN {} MODE").format(names, sql.SQL(mode))


def lock_script(wanted: list[tuple[Relation, str]]) -> Iterator[sql.Composable]:
    """The statements by which one try of `with_locks` asks for its strong locks, for `sqlmigrate` to print."""
    yield sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(BRIEF.lock_timeout_ms))
    for mode, group in groupby(wanted, key=itemgetter(1)):
        yield lock_statement([table for table, _ in group], mode)


class _TimeIsUp(OperationalError):
    """Several locks were waited for, each not for long."""


def _lock_within(cursor: CursorWrapper, most_ms: int, statement: sql.Composed) -> None:
    """Take the locks of a statement within so many milliseconds. Of `lock_timeout` each has as many, of
    `statement_timeout` all together.

    A cancel by somebody at the very end is taken for the latter; one between two tries hits nothing either.
    """
    _limit_waits(cursor, most_ms)
    cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(most_ms + MOMENT_MS)])
    began = time.monotonic()
    try:
        cursor.execute(statement)
    except OperationalError as error:
        if sqlstate(error) == QUERY_CANCELED and (time.monotonic() - began) * 1000 >= most_ms:
            raise _TimeIsUp(str(error)) from error
        raise


def _limit_waits(cursor: CursorWrapper, most_ms: int) -> None:
    cursor.execute("SELECT set_config('lock_timeout', %s, true)", [str(most_ms)])
