"""Who is at work in the database: the sessions that block us, and how far an index build is."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from pam.postgres.sql import query

QUERY_WIDTH = 120


@dataclass(frozen=True)
class Session:
    """A session of the server. `age` is that of its transaction (of the session itself when it has none).

    `in_transaction`: whether it has one, or may have one for all that can be seen.

    The server hides state, age and query of other roles' sessions from who is not in pg_read_all_stats.
    A prepared transaction holds locks without a session: its pid is 0, its query what ends it.
    """

    pid: int
    user: str
    state: str
    age: timedelta | None
    query: str
    in_transaction: bool

    def __str__(self) -> str:
        text = " ".join(self.query.split())
        shown = text if len(text) <= QUERY_WIDTH else text[: QUERY_WIDTH - 3] + "..."
        age = "an unknown time" if self.age is None else timedelta(seconds=int(self.age.total_seconds()))
        return f"pid {self.pid} (user {self.user}, for {age}, {self.state}): {shown or 'no query shown'}"


@dataclass(frozen=True)
class BuildProgress:
    """A row of pg_stat_progress_create_index: `done` of `total` blocks or rows of one phase."""

    phase: str
    done: int
    total: int
    unit: str


def backend_pid(connection: BaseDatabaseWrapper) -> int:
    """The server's process id of this session."""
    connection.ensure_connection()
    pid: int = connection.connection.info.backend_pid
    return pid


def helpers(connection: BaseDatabaseWrapper, leader: int) -> int:
    """How many parallel workers are at work for session `leader` just now; 0 too if this role may not see them."""
    with connection.cursor() as cursor:
        cursor.execute(query("activity", "helpers"), {"leader": leader})
        (count,) = cursor.fetchone()
    return int(count)


def blocking(connection: BaseDatabaseWrapper, pid: int) -> list[Session]:
    """The sessions for which session `pid` waits just now; empty if it does not wait."""
    return _sessions(connection, "blocking_pids", pid=pid)


def holding(connection: BaseDatabaseWrapper, relations: Iterable[int], modes: Iterable[str]) -> list[Session]:
    """The other sessions that hold, or queue for, one of the lock `modes` (as pg_locks names them) on the relations."""
    return _in_transaction(_sessions(connection, "holding_pids", relations=list(relations), modes=list(modes)))


def advisory_holder(connection: BaseDatabaseWrapper, first: int, second: int) -> Session | None:
    """The session that holds the advisory lock of these two keys in this database, or None."""
    sessions = _sessions(connection, "advisory_pids", first=first, second=second)
    return sessions[0] if sessions else None


def reading_as_of_before(connection: BaseDatabaseWrapper, time: datetime) -> list[Session]:
    """The other sessions in a transaction that reads as of before `time`, as far as this role may see them."""
    return _in_transaction(_sessions(connection, "old_snapshot_pids", time=time))


def build_progress(connection: BaseDatabaseWrapper, pid: int) -> BuildProgress | None:
    """How far the CREATE INDEX of session `pid` is; None if it runs none."""
    with connection.cursor() as cursor:
        cursor.execute(query("activity", "build_progress"), {"pid": pid})
        row = cursor.fetchone()
    return BuildProgress(*row) if row else None


def _in_transaction(sessions: list[Session]) -> list[Session]:
    """Without those whose transaction ended after their pids were read: nothing is waited for, and the age that is told
    of them is their session's, which may be that of a pool."""
    return [session for session in sessions if session.in_transaction]


def _sessions(connection: BaseDatabaseWrapper, pids_query: str, /, **parameters: Any) -> list[Session]:
    """What is known of the sessions whose pids a query gives; who has ended meanwhile is no longer among them."""
    with connection.cursor() as cursor:
        cursor.execute(query("activity", pids_query), parameters)
        pids = [pid for (pid,) in cursor.fetchall()]
        cursor.execute(query("activity", "sessions"), {"pids": pids})
        return [Session(*row) for row in cursor.fetchall()]
