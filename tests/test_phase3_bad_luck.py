"""Phase 3 and what may happen to it on the night: cancelled, cut off, in somebody's way, under another clock."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.db.backends.signals import connection_created
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from tests.support.bulk import add_audit_rows
from tests.support.clients import Client, checksums, found
from tests.support.databases import session, throwaway_database
from tests.support.months import BEGIN, CONVERTED, add_sessions, left_over, partitions
from tests.support.servers import ALIAS, server_under_alias
from tests.support.threads import actor, writers
from tests.test_phase2_live import OPTIONS, client_lines

BEFORE = "2026-11-01"
# Four months: with those ahead more than eight, which have the same steps as many.
DAYS = (110, "2026-07-05 13:37:11+00")
MAKE_ROLES = """
CREATE ROLE plain_owner LOGIN;
CREATE ROLE plain_writer LOGIN;
ALTER DATABASE "{database}" OWNER TO plain_owner;
ALTER SCHEMA public OWNER TO plain_owner;
"""
DROP_ROLES = """
REASSIGN OWNED BY plain_owner TO CURRENT_USER;
DROP OWNED BY plain_owner, plain_writer;
DROP ROLE plain_owner, plain_writer;
"""


@pytest.fixture
def full(phase2: str) -> str:
    Client(phase2, "seed").step(0)
    add_audit_rows(phase2, 600, *DAYS)
    add_sessions(phase2, 300, *DAYS)
    return phase2


class Once:
    """Runs a statement on the very connection that is about to run one with `fragment`, the first time."""

    def __init__(self, fragment: str, statement: str) -> None:
        self.fragment, self.statement, self.struck = fragment, statement, False

    def __call__(self, execute: Any, statement: Any, params: Any, many: bool, context: Any) -> Any:
        connection = context["connection"]
        text = statement if isinstance(statement, str) else statement.as_string(connection.connection)
        if not self.struck and self.fragment in text:
            self.struck = True
            execute(self.statement, None, False, context)
        return execute(statement, params, many, context)


@contextmanager
def everywhere(alias: str, wrapper: Once) -> Iterator[None]:
    """On the connection of this thread, and on those that workers open."""

    def add(connection: Any, **_: Any) -> None:
        connection.execute_wrappers.append(wrapper)

    connection_created.connect(add)
    try:
        with connections[alias].execute_wrapper(wrapper):
            yield
    finally:
        connection_created.disconnect(add)


@pytest.mark.parametrize("how", ["pg_cancel_backend", pytest.param("pg_terminate_backend", marks=pytest.mark.once)])
@pytest.mark.parametrize("moment", ["ctid >=", "CREATE INDEX", "date_trunc", "RENAME TO", "DROP TABLE"])
def test_a_statement_is_ended_by_somebody(full, how, moment):
    """There and back: it ends with a sentence and the next command; that command finishes."""
    before = checksums(full, BEFORE)
    for target in (CONVERTED, BEGIN):
        strike = Once(moment, f"SELECT {how}(pg_backend_pid())")
        with everywhere(full, strike), pytest.raises(CommandError, match=r"python manage\.py migrate"):
            call_command("migrate", "pam", target, database=full, verbosity=0)
        assert strike.struck
        connections[full].close()
        call_command("migrate", "pam", target, database=full, verbosity=0)
        assert bool(partitions(full, "audit_logs")) == bool(partitions(full, "sessions")) == (target == CONVERTED)
        assert left_over(full) == []
        assert checksums(full, BEFORE) == before


@pytest.mark.usefixtures("brief")
def test_the_swap_loses_its_race_to_a_long_report(full):
    """It ends and says who is in the way; the table is in use as it was, changes are captured, and it goes on later."""
    before = checksums(full, BEFORE)
    with session(full) as report, report.cursor() as cursor:
        report.autocommit = False
        cursor.execute("SELECT count(*) FROM audit_logs")
        cursor.execute("SELECT pg_backend_pid()")
        ((pid,),) = cursor.fetchall()
        with pytest.raises(CommandError) as ended:
            call_command("migrate", "pam", CONVERTED, database=full, verbosity=0)
        for word in (str(pid), "postgres", "pg_backend_pid", "ACCESS EXCLUSIVE", "python manage.py migrate"):
            assert word in str(ended.value)
        assert partitions(full, "audit_logs") == {}
        later = Client(full, "later")
        later.step(0)
    call_command("migrate", "pam", CONVERTED, database=full, verbosity=0)
    assert len(partitions(full, "audit_logs")) > 8
    assert found(full, set(later.remembered)) == later.remembered
    assert checksums(full, BEFORE) == before
    assert left_over(full) == []


@pytest.mark.usefixtures("brief")
def test_a_long_report_on_the_users_makes_no_sign_in_wait(django_db_blocker: DjangoDbBlocker):
    with django_db_blocker.unblock(), server_under_alias(OPTIONS) as cluster:
        call_command("migrate", "pam", BEGIN, database=ALIAS, verbosity=0)
        add_audit_rows(ALIAS, 600, *DAYS)
        clients = [Client(ALIAS, f"client-{number}") for number in range(3)]
        with (
            writers(3, lambda writer, number: clients[writer].step(number)),
            session(ALIAS) as report,
            report.cursor() as cursor,
        ):
            report.autocommit = False
            cursor.execute("SELECT count(*) FROM privileged_users")
            with pytest.raises(CommandError, match="privileged_users"):
                call_command("migrate", "pam", CONVERTED, database=ALIAS, verbosity=0)
            report.rollback()
            call_command("migrate", "pam", CONVERTED, database=ALIAS, verbosity=0)
        for client in clients:
            assert found(ALIAS, set(client.remembered)) == client.remembered
        assert [line for line in client_lines(cluster) if "still waiting" in line or "ERROR" in line] == []


def test_the_clock_jumps_between_two_runs(full, monkeypatch):
    """A row of a month that was not made, and then a clock by which it should be: what was decided first stays."""
    late = uuid4()
    call_command("pam_partitions", "prepare", database=full, stdout=io.StringIO())
    now = timezone.now()
    ahead = datetime(now.year + 1, now.month, 28, 13, 37, 11, tzinfo=UTC)
    with connections[full].cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_logs (id, event_type, action, result, timestamp, description)"
            " VALUES (%s, 'compliance', 'x', 'success', %s, 'y')",
            [late, ahead],
        )
    monkeypatch.setattr(timezone, "now", lambda: ahead)
    call_command("migrate", "pam", CONVERTED, database=full, verbosity=0)
    monkeypatch.undo()
    with connections[full].cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM audit_logs WHERE id = %s", [late])
        assert cursor.fetchall() == [("audit_logs_default",)]
    assert left_over(full) == []


def test_two_databases_of_one_server_at_once(full, phase2_template):
    with throwaway_database("other", phase2_template) as other:
        Client(other, "seed").step(0)
        add_sessions(other, 200, *DAYS)
        sums = {alias: checksums(alias, BEFORE) for alias in (full, other)}
        with actor(lambda: call_command("migrate", "pam", CONVERTED, database=other, verbosity=0)):
            call_command("migrate", "pam", CONVERTED, database=full, verbosity=0)
        for alias in (full, other):
            assert len(partitions(alias, "sessions")) > 8
            assert checksums(alias, BEFORE) == sums[alias]
            assert left_over(alias) == []


def test_an_owner_without_any_right_beside(database):
    """A plain role that owns the database, from nothing to partitions and back; another plain role writes meanwhile."""
    with session(database) as root, root.cursor() as cursor:
        cursor.execute(MAKE_ROLES.format(database=connections.databases[database]["NAME"]))
        connections[database].close()
        connections.databases[database]["USER"] = "plain_owner"
        del connections[database]
        try:
            call_command("migrate", database=database, verbosity=0)
            call_command("migrate", "pam", BEGIN, database=database, verbosity=0)
            Client(database, "seed").step(0)
            add_sessions(database, 200, *DAYS)
            before = checksums(database, BEFORE)
            cursor.execute("GRANT SELECT, UPDATE ON sessions TO plain_writer")
            call_command("pam_partitions", "prepare", database=database, stdout=io.StringIO())
            cursor.execute("SET ROLE plain_writer")
            cursor.execute("UPDATE sessions SET request_count = 7 WHERE created_at > %s", [BEFORE])
            cursor.execute("RESET ROLE")
            for target in (CONVERTED, BEGIN, CONVERTED):
                call_command("migrate", "pam", target, database=database, verbosity=0)
                assert checksums(database, BEFORE) == before
                assert left_over(database) == []
            cursor.execute(
                "SELECT has_table_privilege('plain_writer', oid, 'UPDATE'), relowner::regrole::text"
                " FROM pg_class WHERE oid = 'sessions'::regclass"
            )
            assert cursor.fetchall() == [(True, "plain_owner")]
            cursor.execute("SELECT count(*) FROM sessions WHERE request_count = 7")
            assert cursor.fetchall() == [(1,)]
        finally:
            connections[database].close()
            connections.databases[database]["USER"] = connections.databases["default"]["USER"]
            del connections[database]
            cursor.execute(DROP_ROLES)
