"""Throttle: the copy holds while a replica lags behind or commits have become slow, and says so.

A watcher with a connection of its own looks about once a second. Workers ask before each chunk and wait as long as
there is a reason to.
"""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from logging import getLogger
from statistics import median
from typing import Protocol

from django.conf import settings
from django.db import Error, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql
from tqdm import tqdm

from pam.postgres.long_statement import cancel_until_done
from pam.postgres.online_copy.move import Move

logger = getLogger("pam.migrations")

LOOK_SECONDS = 1.0
# Each copy waits for the first look, which takes some milliseconds.
STEP_SECONDS = 0.02
TELL_SECONDS = 30.0
# How long a watcher may take to end by itself before what it waits for is cancelled.
END_SECONDS = 0.2

BASELINE_PROBES = 7
# What a disk or a busy machine does now and then anyway: below this no commit is slow.
NOISE_MS = 20.0
# One slow commit may be chance, two in a row are not, and neither is one of a second.
CERTAIN_MS = 1000.0

# A role without the right sees a replica's pid, and NULL for all else. A replica that has reconnected is in catchup
# until it has got all. Who only receives WAL (pg_receivewal) never replays it, and the reader of a logical slot may be
# far behind in good health, as it hears nothing of tables that are not its own.
REPLICAS = """
SELECT r.state IS NULL, r.application_name, coalesce(pg_catalog.host(r.client_addr), 'a socket'),
    pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), r.replay_lsn)::bigint AS behind
FROM pg_catalog.pg_stat_replication r
WHERE (r.state IS NULL OR (r.state IN ('streaming', 'catchup') AND r.replay_lsn IS NOT NULL))
    AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_replication_slots s WHERE s.active_pid = r.pid AND s.slot_type = 'logical'
    )
ORDER BY behind DESC NULLS LAST LIMIT 1
"""


@dataclass
class Gauge:
    """Whether a figure is too high: above `limit` it is, and until it has come halfway back to what is usual."""

    usual: float
    limit: float
    is_high: bool = False

    def read(self, figure: float) -> None:
        """Take a new figure. The way back is longer, so that a figure near the limit does not make us stop and go."""
        self.is_high = figure > ((self.usual + self.limit) / 2 if self.is_high else self.limit)


class Reason(Protocol):
    """Something that may be a reason to hold: the watcher looks at it, workers ask about it."""

    def look(self, own: BaseDatabaseWrapper) -> None: ...

    def why(self) -> str | None: ...


class ReplicaLag:
    """The replica that is furthest behind, in bytes of WAL not replayed there."""

    def __init__(self, table: str, limit_mb: int) -> None:
        self._table = table
        self._gauge = Gauge(usual=0, limit=limit_mb)
        self._shown = ""
        self._is_hidden = False

    def look(self, own: BaseDatabaseWrapper) -> None:
        """Ask the server. Lock: none."""
        with own.cursor() as cursor:
            cursor.execute(REPLICAS)
            row = cursor.fetchone()
        is_hidden, name, address, behind = row or (False, "", "", 0)
        if is_hidden:
            self._tell_hidden()
        behind_mb = (behind or 0) / 2**20
        self._shown = f"the replica {name} ({address}) is {behind_mb:,.0f} MB behind"
        self._gauge.read(behind_mb)

    def _tell_hidden(self) -> None:
        if not self._is_hidden:
            self._is_hidden = True
            _tell(
                "%s: this role may not see how far replicas are behind, so the copy does not wait for them. To let it: "
                "GRANT pg_read_all_stats TO <role>",
                self._table,
            )

    def why(self) -> str | None:
        """The reason to hold, or None."""
        limit = f"limit {self._gauge.limit:,.0f} MB: PAM_COPY_REPLICA_LAG_MB"
        return f"{self._shown} ({limit})" if self._gauge.is_high else None


class CommitSpeed:
    """How long a tiny commit takes that waits for the disk, against what it took before the copy."""

    def __init__(self, record: sql.Identifier, factor: int) -> None:
        # A row lock is WAL that a commit waits for, and no new version of the row: nothing is left to be vacuumed.
        # Nobody else locks this row while rows are copied.
        self._write = sql.SQL("SELECT 1 FROM {} FOR UPDATE").format(record)
        self._factor = factor
        self._gauge: Gauge | None = None
        self._last_ms = self._steady_ms = 0.0
        self._asked_at: float | None = None

    def look(self, own: BaseDatabaseWrapper) -> None:
        """Try a commit; the first time some, whose median is the baseline. Lock: ROW SHARE on the move's record."""
        if self._gauge is None:
            usual = median([self._commit_ms(own) for _ in range(BASELINE_PROBES)])
            self._gauge = Gauge(usual, limit=max(usual * self._factor, NOISE_MS))
        else:
            self._read(self._gauge, self._commit_ms(own))
        self._asked_at = None

    def _read(self, gauge: Gauge, taken_ms: float) -> None:
        self._steady_ms = taken_ms if taken_ms > CERTAIN_MS else min(taken_ms, self._last_ms)
        self._last_ms = taken_ms
        gauge.read(self._steady_ms)

    def _commit_ms(self, own: BaseDatabaseWrapper) -> float:
        self._asked_at = time.monotonic()
        with transaction.atomic(using=own.alias), own.cursor() as cursor:
            # A role whose commits wait for nothing would tell nothing.
            cursor.execute(
                "SELECT pg_catalog.set_config('synchronous_commit', 'local', true)"
                " WHERE pg_catalog.current_setting('synchronous_commit') = 'off'"
            )
            cursor.execute(self._write)
            began = time.perf_counter()
        return (time.perf_counter() - began) * 1000

    def why(self) -> str | None:
        """The reason to hold, or None."""
        gauge, asked_at = self._gauge, self._asked_at
        waiting = 0.0 if asked_at is None else time.monotonic() - asked_at
        if waiting * 1000 > max(CERTAIN_MS, gauge.limit if gauge else 0):
            return f"a commit has been waiting for {waiting:,.0f} s (PAM_COPY_COMMIT_FACTOR=0: not looked at)"
        if gauge is None or not gauge.is_high:
            return None
        limit = f"{gauge.usual:,.1f} ms before the copy, limit {gauge.limit:,.0f} ms: PAM_COPY_COMMIT_FACTOR"
        return f"commits take {self._steady_ms:,.0f} ms ({limit})"


class Throttle:
    """What the workers of one copy ask before each chunk."""

    def __init__(self, table: str, reasons: list[Reason]) -> None:
        self._table = table
        self._reasons = reasons
        self._end = threading.Event()
        # False until the first look, and while looking fails.
        self._can_see = False
        self._has_looked = not reasons
        self._own: BaseDatabaseWrapper | None = None
        self._lock = threading.Lock()
        self._held_since = self._told_at = 0.0
        self._is_held = False

    def may_go_on(self, stop: threading.Event) -> bool:
        """Wait as long as there is a reason to hold; False once `stop` is set, which ends the wait at once."""
        while not stop.is_set():
            if self._is_clear():
                return True
            stop.wait(STEP_SECONDS)
        return False

    def _is_clear(self) -> bool:
        # One at a time, so that no worker tells what another one has seen to be over.
        with self._lock:
            why = self._why()
            if why is not None:
                self._hold(why)
            elif self._is_held:
                self._let_go()
            return why is None and self._has_looked

    def _why(self) -> str | None:
        # What was seen before the watcher lost its sight must not hold the copy for ever.
        if self._has_looked and not self._can_see:
            return None
        return "; ".join(why for reason in self._reasons if (why := reason.why())) or None

    def _hold(self, why: str) -> None:
        now = time.monotonic()
        if not self._is_held:
            self._is_held, self._held_since, self._told_at = True, now, now
            _tell("%s: the copy holds: %s", self._table, why)
        elif now - self._told_at >= TELL_SECONDS:
            self._told_at = now
            _tell("%s: the copy still holds, for %s: %s", self._table, self._held_for(), why)

    def _let_go(self) -> None:
        self._is_held = False
        _tell("%s: the copy goes on; it was held for %s", self._table, self._held_for())

    def _held_for(self) -> timedelta:
        return timedelta(seconds=round(time.monotonic() - self._held_since))

    def watch(self, alias: str) -> None:
        """Look, again and again, until `end`. A look that fails is told once, and holds nobody."""
        own = self._own = connections[alias]
        try:
            while not self._end.is_set():
                try:
                    self._look(own)
                except Error as error:
                    self._lose_sight(error)
                    own.close()
                self._has_looked = True
                self._end.wait(LOOK_SECONDS)
        finally:
            self._can_see, self._has_looked = False, True
            own.close()

    def _look(self, own: BaseDatabaseWrapper) -> None:
        for reason in self._reasons:
            reason.look(own)
        self._can_see = True

    def _lose_sight(self, error: Error) -> None:
        if (self._can_see or not self._has_looked) and not self._end.is_set():
            _tell(
                "%s: replicas and commits cannot be looked at, so the copy does not wait for them: %s",
                self._table,
                str(error).strip(),
            )
        self._can_see = False

    def end(self, watching: "Future[None] | None") -> None:
        """End the watcher, and on the server the commit that it may be waiting for."""
        self._end.set()
        if watching is None:  # interrupted while it began
            return
        try:
            wait([watching], timeout=END_SECONDS)
        finally:
            cancel_until_done([watching], [self._own] if self._own else [])


@contextmanager
def throttled(connection: BaseDatabaseWrapper, move: Move) -> Iterator[Throttle]:
    """The throttle of a copy, by the settings PAM_COPY_REPLICA_LAG_MB and PAM_COPY_COMMIT_FACTOR; 0 is: do not look."""
    table, reasons = str(move.source), list[Reason]()
    if settings.PAM_COPY_REPLICA_LAG_MB:
        reasons.append(ReplicaLag(table, settings.PAM_COPY_REPLICA_LAG_MB))
    if settings.PAM_COPY_COMMIT_FACTOR:
        reasons.append(CommitSpeed(move.record, settings.PAM_COPY_COMMIT_FACTOR))
    throttle = Throttle(table, reasons)
    if not reasons:
        yield throttle
        return
    watching: Future[None] | None = None
    with ThreadPoolExecutor(1, thread_name_prefix="throttle") as pool:
        try:
            watching = pool.submit(throttle.watch, connection.alias)
            yield throttle
        finally:
            throttle.end(watching)
        watching.result()


def _tell(text: str, *values: object) -> None:
    # A progress bar at the terminal is wiped away for the line, and drawn again.
    with tqdm.external_write_mode():
        logger.warning(text, *values)
