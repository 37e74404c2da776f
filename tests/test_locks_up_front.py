"""While others wait for a table, nothing more is waited for: all locks of a step are there before its first change."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.db.backends.signals import connection_created

from pam.partitions.tables import tables
from pam.postgres import catalog, locks
from pam.postgres.errors import LockUnavailable
from pam.postgres.locks import Patience, with_locks
from pam.postgres.monthly import add_month
from pam.postgres.monthly_catalog import months_of
from pam.postgres.monthly_default import drain
from pam.postgres.months import Month
from tests.support.bulk import add_audit_rows
from tests.support.clients import Client
from tests.support.databases import session
from tests.support.held_locks import MODES
from tests.support.months import BEGIN, CONVERTED, add_sessions, left_over, partitions
from tests.support.threads import actor, until

DAYS = (50, "2026-09-05 13:37:11+00")
NEW = "sessions_menshun_new"
USED = ["privileged_users", "service_identities", "sessions", "audit_logs"]
# What an autovacuum is in the way of.
STRONG = MODES[MODES.index("ShareUpdateExclusiveLock") :]
# Of each table that this transaction holds in such a mode: the transaction, the table's oid and name, how strong the
# mode is, and whether clients wait for it.
HELD = """
SELECT l.virtualtransaction, c.oid, c.relname, max(array_position(%(modes)s, l.mode)),
    max(array_position(%(modes)s, l.mode)) > 1 AND bool_or(coalesce(p.relname, c.relname) = ANY (%(used)s))
FROM pg_catalog.pg_locks l
JOIN pg_catalog.pg_class c ON c.oid = l.relation
LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid
LEFT JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' AND l.granted AND c.relkind IN ('r', 'p')
    AND c.relnamespace = 'public'::regnamespace AND l.mode = ANY (%(modes)s)
GROUP BY 1, 2, 3
"""
TABLES = "SELECT oid FROM pg_catalog.pg_class WHERE relkind IN ('r', 'p')"


@pytest.fixture
def full(phase2: str) -> str:
    Client(phase2, "seed").step(0)
    add_audit_rows(phase2, 300, *DAYS)
    add_sessions(phase2, 200, *DAYS)
    return phase2


@dataclass
class Watch:
    """Looks after each statement of a transaction what it has locked; `late` is what it did not lock up front, or
    not as strongly.

    Up front is what it holds, and what is not there yet, when it has taken its locks.
    """

    late: list[str] = field(default_factory=list)
    under_locks: int = 0
    _up_front: dict[str, tuple[dict[int, int], set[int]]] = field(default_factory=dict)

    def __call__(self, execute: Any, statement: Any, params: Any, many: bool, context: Any) -> Any:
        connection = context["connection"]
        done = execute(statement, params, many, context)
        text = statement if isinstance(statement, str) else statement.as_string(connection.connection)
        # Of a transaction that is still to be set there may be no query yet.
        if connection.in_atomic_block and not text.startswith("SET "):
            with connection.connection.cursor() as cursor:
                self._look(cursor, text)
        return done

    def _look(self, cursor: Any, text: str) -> None:
        cursor.execute(HELD, {"modes": STRONG, "used": USED})
        held = cursor.fetchall()
        if not any(is_waited_for for *_, is_waited_for in held):
            return
        (transaction,) = {transaction for transaction, *_ in held}
        if text.startswith("LOCK TABLE"):
            cursor.execute(TABLES)
            self._up_front[transaction] = {oid: mode for _, oid, _, mode, _ in held}, {oid for (oid,) in cursor}
            return
        self.under_locks += 1
        locked, there = self._up_front.get(transaction, ({}, {oid for _, oid, *_ in held}))
        self.late += [f"{name}: {text}" for _, oid, name, mode, _ in held if oid in there and mode > locked.get(oid, 0)]


@contextmanager
def watched(alias: str) -> Iterator[Watch]:
    """On the connection of this thread, and on those that workers open."""
    watch = Watch()

    def add(connection: Any, **_: Any) -> None:
        connection.execute_wrappers.append(watch)

    connection_created.connect(add)
    try:
        with connections[alias].execute_wrapper(watch):
            yield watch
    finally:
        connection_created.disconnect(add)


def test_no_step_locks_another_table_while_others_wait(full):
    for target in ((), (BEGIN,)):
        with watched(full) as watch:
            call_command("migrate", "pam", *target, database=full, verbosity=0)
        assert watch.late == []
        assert watch.under_locks > 20, "it has looked"


def test_an_abandoned_one_neither(full):
    call_command("pam_partitions", "prepare", database=full, verbosity=0)
    with watched(full) as watch:
        call_command("pam_partitions", "abandon", database=full, verbosity=0)
    assert watch.late == []
    assert watch.under_locks > 2, "it has looked"


def test_months_that_are_made_later_neither(migrated):
    """A month ahead, and months for rows of the default partition."""
    Client(migrated, "seed").step(0)
    add_sessions(migrated, 20, 60, "2019-01-05 13:37:11+00")
    add_audit_rows(migrated, 20, 60, "2019-01-05 13:37:11+00")
    for table in tables(migrated):
        with watched(migrated) as watch:
            assert add_month(table.connection, table.move, Month(2031, 5))
            drain(table.connection, table.move)
        assert watch.late == []
        assert watch.under_locks > 4, "it has looked"
        assert Month(2019, 2) in [one.month for one in months_of(table.connection, table.move.source)]


@pytest.mark.parametrize("modes", [("ACCESS EXCLUSIVE",) * 3, ("SHARE", "ACCESS EXCLUSIVE", "SHARE")])
def test_several_locks_have_the_time_of_one(database, monkeypatch, modes):
    """Two of three tables are held, each for less than a lock may be waited for, both together for longer."""
    monkeypatch.setattr(
        locks, "BRIEF", Patience(lock_timeout_ms=1000, attempts=1, first_pause=0.05, longest_pause=0.05)
    )
    connection = connections[database]
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE one (n int); CREATE TABLE two (n int); CREATE TABLE three (n int)")
    found = [catalog.relation(connection, name) for name in ("one", "two", "three")]
    wanted = [(table, mode) for table, mode in zip(found, modes, strict=True) if table]
    held, given_up = threading.Event(), threading.Event()

    def hold() -> None:
        with session(database) as second, session(database) as third, session(database) as watcher:
            holders = {"two": second, "three": third}
            for name, holder in holders.items():
                holder.autocommit = False
                holder.cursor().execute(f"LOCK TABLE {name} IN ROW EXCLUSIVE MODE")
            held.set()
            for name, holder in holders.items():
                until(partial(waited_for_or, given_up, watcher.cursor(), name), "it waits")
                given_up.wait(0.7)
                holder.rollback()

    with actor(hold):
        assert held.wait(10)
        with pytest.raises(LockUnavailable):
            with_locks(connection, wanted, lambda: None)
        given_up.set()


def waited_for_or(given_up: threading.Event, cursor: Any, table: str) -> bool:
    return given_up.is_set() or waited_for(cursor, table)


def waited_for(cursor: Any, table: str) -> bool:
    cursor.execute("SELECT FROM pg_locks WHERE relation = to_regclass(%s) AND NOT granted", [table])
    return cursor.fetchone() is not None


@pytest.mark.once
@pytest.mark.parametrize("mode", ["SHARE UPDATE EXCLUSIVE", "ACCESS SHARE"], ids=["vacuum", "dump"])
@pytest.mark.parametrize("target", [(), (BEGIN,)], ids=["there", "back"])
def test_who_is_at_the_new_table_is_waited_for_alone(full, monkeypatch, target, mode):
    """An autovacuum, or a dump; it is named, and meanwhile the live table is everybody's."""
    if target:
        call_command("migrate", "pam", CONVERTED, database=full, verbosity=0)
    call_command("pam_partitions", "prepare", back=bool(target), database=full, verbosity=0)
    for name in ("CALM", "BRIEF"):
        # A moment in which to look.
        patience = Patience(lock_timeout_ms=2000, attempts=1, first_pause=0.05, longest_pause=0.05)
        monkeypatch.setattr(locks, name, patience)
    with session(full) as other, session(full) as client, other.cursor() as holding, client.cursor() as asking:
        other.autocommit = False
        holding.execute(f"LOCK TABLE {NEW} IN {mode} MODE")
        holding.execute("SELECT pg_backend_pid()")
        ((pid,),) = holding.fetchall()

        def migrate() -> None:
            with pytest.raises(CommandError, match=f"pid {pid} "):
                call_command("migrate", "pam", *target, database=full, verbosity=0)

        with actor(migrate):
            until(lambda: waited_for(asking, NEW), "the swap waits")
            asking.execute(
                "SET lock_timeout = 1; SELECT count(*) FROM sessions; LOCK TABLE sessions IN ROW EXCLUSIVE MODE"
            )
        other.rollback()
    # The table in use is as it was.
    assert bool(partitions(full, "sessions")) == bool(target)
    call_command("pam_partitions", "abandon", database=full, verbosity=0)
    assert left_over(full) == []
