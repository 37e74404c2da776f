"""Index builds among others: whom they wait for is said, what they cannot have is refused, what is not theirs stays."""

import logging
from collections.abc import Iterator

import pytest
from django.db import connections
from pytest_django import DjangoDbBlocker

from pam.postgres import activity, concurrent_index, locks
from pam.postgres.activity import Session
from pam.postgres.errors import BuildFailed, LockUnavailable, RunInProgress
from pam.postgres.locks import Patience
from pam.postgres.operations import AddIndexConcurrently
from pam.postgres.run_lock import RUN_LOCK, exclusive_run
from pam.postgres.sql import query
from tests.support import toys
from tests.support.databases import session
from tests.support.indexes import index_validity
from tests.support.servers import ALIAS, server_under_alias
from tests.support.threads import actor, failure_of, until

ADD = AddIndexConcurrently("Toy", toys.INDEX)
IMPATIENT = Patience(lock_timeout_ms=50, attempts=2, first_pause=0.01, longest_pause=0.01)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few and short tries, so that a test of the refusal is quick."""
    for module in (concurrent_index, locks):
        monkeypatch.setattr(module, "CALM", IMPATIENT)
    monkeypatch.setattr(locks, "BRIEF", IMPATIENT)


@pytest.fixture
def prepared(django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """A server that knows prepared transactions, with the table made."""
    with django_db_blocker.unblock(), server_under_alias({"max_prepared_transactions": 5}):
        toys.make_table(ALIAS)
        yield ALIAS


def prepare(alias: str, statement: str) -> None:
    with session(alias) as other, other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(statement)
        cursor.execute("PREPARE TRANSACTION 'forgotten'")


def test_a_prepared_transaction_that_wrote(prepared, caplog):
    prepare(prepared, "UPDATE toys SET name = 'x' WHERE id = 1")
    with actor(lambda: toys.forwards(prepared, ADD, toys.state())) as build:
        until(lambda: "ROLLBACK PREPARED 'forgotten'" in caplog.text or build.done(), "the wait is told")
        assert "waits for an older transaction: pid 0 (user postgres" in caplog.text
        with connections[prepared].cursor() as cursor:
            cursor.execute("ROLLBACK PREPARED 'forgotten'")
    assert index_validity(prepared, "ix_toys%") == {toys.INDEX.name: True}


@pytest.mark.usefixtures("impatient")
def test_a_prepared_transaction_that_holds_the_table(prepared):
    prepare(prepared, "LOCK TABLE toys IN SHARE MODE")
    with actor(lambda: toys.forwards(prepared, ADD, toys.state())) as build:
        error = failure_of(build)
    assert isinstance(error, LockUnavailable)
    assert "ROLLBACK PREPARED 'forgotten'" in str(error)


def test_a_session_is_one_readable_line(prepared):
    own = activity.backend_pid(connections[prepared])
    with session(prepared) as other, other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("LOCK TABLE toys IN SHARE MODE -- " + "long " * 50)
        oid = 0
        with connections[prepared].cursor() as asking:
            asking.execute("SELECT 'toys'::regclass::oid")
            oid = asking.fetchone()[0]
        (holder,) = activity.holding(connections[prepared], [oid], ["ShareLock"])
    assert isinstance(holder, Session)
    assert holder.pid != own
    assert str(holder).startswith(f"pid {holder.pid} (user postgres, for 0:00:0")
    assert "idle in transaction" in str(holder)
    assert str(holder).endswith("long...")
    assert "\n" not in str(holder)


def test_whose_transaction_ends_between_two_looks_holds_nothing(prepared, monkeypatch):
    """Its session is still there, perhaps for days: once it was told as an obstacle of that age, under load."""
    asking = connections[prepared]
    with session(prepared) as other, other.cursor() as cursor, asking.cursor() as own:
        own.execute("SELECT 'toys'::regclass::oid")
        (oid,) = own.fetchone()
        cursor.execute("BEGIN")
        cursor.execute("LOCK TABLE toys IN SHARE MODE")
        assert activity.holding(asking, [oid], ["ShareLock"])

        def ended_meanwhile(file: str, name: str) -> str:
            if name == "sessions":
                cursor.execute("COMMIT")
            return query(file, name)

        monkeypatch.setattr(activity, "query", ended_meanwhile)
        assert activity.holding(asking, [oid], ["ShareLock"]) == []


def test_whose_next_statement_has_no_transaction_yet_holds_nothing(prepared, monkeypatch):
    """It is active already, and its session's age was told as the transaction's: `migrate` refused to begin."""
    asking = connections[prepared]
    with session(prepared) as other, other.cursor() as cursor, asking.cursor() as own:
        own.execute("SELECT 'toys'::regclass::oid")
        (oid,) = own.fetchone()
        cursor.execute("BEGIN")
        cursor.execute("LOCK TABLE toys IN SHARE MODE")
        (holder,) = activity.holding(asking, [oid], ["ShareLock"])
        assert holder.in_transaction

        def at_that_moment(file: str, name: str) -> str:
            text = query(file, name)
            return text.replace("a.xact_start", "NULL::timestamptz").replace("a.state", "'active'")

        monkeypatch.setattr(activity, "query", at_that_moment)
        assert activity.holding(asking, [oid], ["ShareLock"]) == []


def _older_transaction(cursor) -> int:
    """A writer that does not end; on the first month itself, since the moment's lock on a parent would give up."""
    cursor.execute("SELECT coalesce(to_regclass('toys_2026_01'), to_regclass('toys'))::text")
    table = cursor.fetchone()[0]
    cursor.execute("BEGIN")
    cursor.execute(f"UPDATE {table} SET is_active = is_active WHERE id = 1")
    cursor.execute("SELECT pg_backend_pid()")
    return int(cursor.fetchone()[0])


@pytest.mark.parametrize("end", ["pg_cancel_backend", "pg_terminate_backend"])
def test_ended_by_a_dba_while_it_waits(database, toy_table, end, caplog):
    """An older writer holds the build up; the build says for whom it waits, is ended, and runs again."""
    caplog.set_level(logging.INFO, "pam.migrations")
    with session(database) as observer, observer.cursor() as watch, connections[database].cursor() as older:
        pid = _older_transaction(older)
        with actor(lambda: toys.forwards(database, ADD, toys.state())) as build:
            builder = until(lambda: _waiting_builder(watch), "the build waits for the older transaction")
            until(lambda: f"waits for an older transaction: pid {pid}" in caplog.text, "the wait is told")
            watch.execute(f"SELECT {end}(%s)", [builder])
            error = failure_of(build)
        older.execute("COMMIT")
    assert isinstance(error, BuildFailed)
    assert "python manage.py migrate" in str(error)
    toys.forwards(database, ADD, toys.state())
    assert index_validity(database, "ix_toys%") == toy_table


def _waiting_builder(cursor) -> int | None:
    cursor.execute(
        "SELECT p.pid FROM pg_stat_progress_create_index p JOIN pg_locks l ON l.pid = p.pid AND NOT l.granted"
    )
    row = cursor.fetchone()
    return row[0] if row else None


@pytest.mark.usefixtures("impatient")
def test_a_lock_that_is_not_to_be_had(database, toy_table):
    with session(database) as other, other.cursor() as holder:
        holder.execute("BEGIN; LOCK TABLE toys IN ACCESS EXCLUSIVE MODE; SELECT 'the culprit'")
        pid = other.info.backend_pid
        with actor(lambda: toys.forwards(database, ADD, toys.state())) as build:
            error = failure_of(build)
        holder.execute("ROLLBACK")
    assert isinstance(error, LockUnavailable)
    assert [session.pid for session in error.holders] == [pid]
    assert f"pid {pid}" in str(error)
    assert "the culprit" in str(error)
    assert index_validity(database, "ix_toys%") == {}


@pytest.mark.usefixtures("impatient")
def test_a_build_by_somebody_else_is_left_alone(database):
    """A DBA builds the same index by hand: INVALID as yet, but not left over."""
    toys.make_table(database)

    def build_by_hand() -> None:
        with connections[database].cursor() as cursor:
            cursor.execute("CREATE INDEX CONCURRENTLY ix_toys_name_partial ON toys (name) WHERE is_active")

    with connections[database].cursor() as older, session(database) as observer, observer.cursor() as watch:
        _older_transaction(older)
        with actor(build_by_hand):
            builder = until(lambda: _waiting_builder(watch), "the other build waits")
            with actor(lambda: toys.forwards(database, ADD, toys.state())) as ours:
                error = failure_of(ours)
            older.execute("COMMIT")
    assert isinstance(error, LockUnavailable)
    assert f"pid {builder}" in str(error)
    assert "CREATE INDEX CONCURRENTLY" in str(error)
    assert index_validity(database, "ix_toys%") == {toys.INDEX.name: True}


def test_a_second_run_says_so_and_leaves(database, caplog):
    toys.make_table(database)

    def second_run() -> None:
        with exclusive_run(connections[database], 0.1):
            raise AssertionError("two runs at once")

    with exclusive_run(connections[database]), actor(second_run) as second:
        error = failure_of(second)
    pid = connections[database].connection.info.backend_pid
    assert isinstance(error, RunInProgress)
    assert error.holder is not None
    assert error.holder.pid == pid
    assert f"waiting for it to end: pid {pid} " in caplog.text
    toys.forwards(database, ADD, toys.state())


@pytest.fixture
def owned(database: str) -> Iterator[str]:
    """The table of a toy in the hands of a role that may not look into other roles' sessions; we act as that role."""
    with connections[database].cursor() as cursor:
        cursor.execute("DROP ROLE IF EXISTS plain_owner")
        cursor.execute("CREATE ROLE plain_owner")
        cursor.execute("CREATE SCHEMA owned AUTHORIZATION plain_owner")
        toys.make_table(database, schema="owned")
        cursor.execute("ALTER TABLE owned.toys OWNER TO plain_owner")
        cursor.execute("SET search_path = owned")
        cursor.execute("SET ROLE plain_owner")
        yield database
        cursor.execute("RESET ROLE")
        cursor.execute("DROP OWNED BY plain_owner")
        cursor.execute("DROP ROLE plain_owner")


@pytest.mark.usefixtures("impatient")
def test_an_owner_who_sees_no_other_sessions_still_learns_the_pid(owned):
    with session(owned) as other, other.cursor() as holder:
        holder.execute("BEGIN; LOCK TABLE owned.toys IN SHARE MODE")
        with pytest.raises(LockUnavailable) as caught:
            toys.forwards(owned, ADD, toys.state())
        assert f"pid {other.info.backend_pid} (user postgres, for an unknown time, state hidden" in str(caught.value)
    toys.forwards(owned, ADD, toys.state())
    assert index_validity(owned, "ix_toys%") == {toys.INDEX.name: True}


def test_a_second_run_by_another_role_is_told_of_the_first(owned):
    with session(owned) as first, first.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, %s)", RUN_LOCK)
        with pytest.raises(RunInProgress, match=f"pid {first.info.backend_pid} "), exclusive_run(connections[owned], 0):
            raise AssertionError("two runs at once")


def test_no_other_timeout_of_the_role_ends_a_build(database):
    toys.make_table(database)
    with session(database) as observer, observer.cursor() as watch, connections[database].cursor() as older:
        pid = _older_transaction(older)

        def impatient_role() -> None:
            with connections[database].cursor() as cursor:
                cursor.execute("SET statement_timeout = '1s'; SET idle_session_timeout = '1s'")
                cursor.execute("SELECT count(*) FROM pg_settings WHERE name = 'transaction_timeout'")
                if cursor.fetchone()[0]:
                    cursor.execute("SET transaction_timeout = '1s'")
            toys.forwards(database, ADD, toys.state())

        with actor(impatient_role):
            until(lambda: _waiting_for_more_than(watch, pid, "1500 ms"), "the build outlives the timeouts")
            older.execute("COMMIT")
    assert index_validity(database, "ix_toys%") == {toys.INDEX.name: True}


def _waiting_for_more_than(cursor, pid: int, interval: str) -> bool:
    cursor.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE %s = ANY (pg_blocking_pids(pid))"
        " AND clock_timestamp() - query_start > %s::interval",
        [pid, interval],
    )
    return bool(cursor.fetchone()[0])
