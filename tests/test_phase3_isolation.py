"""A role or database whose transactions are SERIALIZABLE by default: what commits while the swap waits is not lost."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connections

from pam.partitions.status import status
from pam.partitions.tables import tables
from pam.postgres import locks, run_lock
from pam.postgres.locks import Patience
from pam.postgres.online_copy import replay
from tests.support.clients import Client, checksums
from tests.support.databases import database_name, session
from tests.support.months import BEGIN, add_sessions, left_over, partitions
from tests.support.threads import actor, until

INSERT = """
INSERT INTO audit_logs (id, event_type, action, result, timestamp, description)
VALUES (%s, 'compliance', 'x', 'success', %s, 'committed while somebody waited')
"""
WAITS = """
SELECT count(*) FROM pg_locks WHERE relation = 'audit_logs'::regclass AND mode = 'AccessExclusiveLock' AND NOT granted
"""
LEVELS = ["repeatable read", "serializable"]


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock is waited for until the writer has committed, so that it is the first try that gets it."""
    monkeypatch.setattr(locks, "BRIEF", Patience(lock_timeout_ms=30_000, attempts=3, first_pause=0.05, longest_pause=1))


def by_default(alias: str, level: str) -> None:
    """What every later session of the database does unless it says otherwise."""
    with connections[alias].cursor() as cursor:
        cursor.execute(f'ALTER DATABASE "{database_name(alias)}" SET default_transaction_isolation = %s', [level])
    connections[alias].close()


@contextmanager
def written_meanwhile(alias: str, time: str) -> Iterator[str]:
    """A READ COMMITTED writer who commits as soon as the block's work waits for him; yields the row's id."""
    key = str(uuid4())

    def commit_when_waited_for() -> None:
        with session(alias) as other, session(alias) as watcher, other.cursor() as cursor, watcher.cursor() as look:
            cursor.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
            cursor.execute(INSERT, [key, time])
            written.append(key)

            def waits() -> bool:
                look.execute(WAITS)
                return look.fetchall() != [(0,)]

            until(waits, "somebody waits for the writer")
            cursor.execute("COMMIT")

    written: list[str] = []
    with actor(commit_when_waited_for):
        until(lambda: written, "the row is written")
        yield key


def is_there(alias: str, key: str) -> bool:
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM audit_logs WHERE id = %s", [key])
        return bool(cursor.fetchone()[0] == 1)


@pytest.mark.parametrize("level", LEVELS)
def test_the_swap_there_and_back(phase2, patient, level):
    Client(phase2, "seed").step(0)
    by_default(phase2, level)
    for way in ([], [BEGIN]):
        call_command("pam_partitions", "prepare", back=bool(way), database=phase2, verbosity=0)
        with written_meanwhile(phase2, "2026-11-03 13:37:11+00") as key:
            call_command("migrate", "pam", *way, database=phase2, verbosity=0)
        assert bool(partitions(phase2, "audit_logs")) == (not way)
        assert is_there(phase2, key)


@pytest.mark.parametrize("level", LEVELS)
def test_a_drain(migrated, patient, level):
    by_default(migrated, level)
    with connections[migrated].cursor() as cursor:
        cursor.execute(INSERT, [str(uuid4()), "2031-03-03 13:37:11+00"])
    with written_meanwhile(migrated, "2031-03-04 13:37:11+00") as key:
        call_command("pam_partitions", "drain", database=migrated, verbosity=0)
    assert is_there(migrated, key)


def test_rows_that_take_the_place_of_more_others_than_a_batch_holds(migrated, monkeypatch, caplog):
    """The same tokens at another time, in one transaction: the plain copy, made ahead of time, begins anew."""
    monkeypatch.setattr(replay, "BATCH", 10)
    Client(migrated, "seed").step(0)
    add_sessions(migrated, 40, 20, "2026-10-05 13:37:11+00")
    call_command("pam_partitions", "prepare", back=True, database=migrated, verbosity=0)
    with connections[migrated].cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE moved AS SELECT * FROM sessions WHERE created_at < '2026-10-26 00:00+00';"
            "UPDATE moved SET id = gen_random_uuid(), created_at = created_at - interval '1 month';"
            "BEGIN; INSERT INTO sessions SELECT * FROM moved;"
            "DELETE FROM sessions WHERE created_at BETWEEN '2026-10-05 00:00+00' AND '2026-10-26 00:00+00'; COMMIT"
        )
    before = checksums(migrated, "2027-01-01")
    call_command("migrate", "pam", BEGIN, database=migrated, verbosity=0)
    assert "begins anew: rows came in the place of others" in caplog.text
    assert checksums(migrated, "2027-01-01") == before
    assert left_over(migrated) == []


def test_no_default_of_a_role_holds_in_a_run(database):
    with connections[database].cursor() as cursor:
        cursor.execute("SET statement_timeout = '3s'; SET default_transaction_isolation = 'serializable'")
        with run_lock.exclusive_run(connections[database]):
            cursor.execute("SELECT current_setting('statement_timeout'), current_setting('transaction_isolation')")
            assert cursor.fetchone() == ("0", "read committed")
        cursor.execute("SELECT current_setting('statement_timeout'), current_setting('transaction_isolation')")
        assert cursor.fetchone() == ("3s", "serializable")


def test_a_role_whose_name_is_an_address(phase2):
    with connections[phase2].cursor() as cursor:
        cursor.execute('CREATE ROLE "Anna.DBA@corp.example.com" SUPERUSER')
        try:
            cursor.execute('SET ROLE "Anna.DBA@corp.example.com"')
            call_command("pam_plan", database=phase2, stdout=io.StringIO())
        finally:
            cursor.execute("RESET ROLE")
            cursor.execute('DROP ROLE "Anna.DBA@corp.example.com"')


def test_what_prepare_says_to_do_next(migrated, capsys):
    call_command("pam_partitions", "prepare", database=migrated)
    assert capsys.readouterr().out.count("is what it shall be already; nothing to be prepared") == 2
    call_command("pam_partitions", "prepare", back=True, database=migrated)
    assert capsys.readouterr().out.count("until: python manage.py migrate pam 0010_phase3_begin") == 2
    call_command("pam_plan", back=True, database=migrated)
    assert "OBSTACLE" not in capsys.readouterr().out


def test_a_role_whose_sessions_may_not_idle_in_a_transaction(phase2):
    """While two sessions verify, a third one holds their snapshot, and has nothing to do."""
    name = connections[phase2].settings_dict["NAME"]
    with connections[phase2].cursor() as cursor:
        cursor.execute(f'ALTER DATABASE "{name}" SET idle_in_transaction_session_timeout = 1')
    connections[phase2].close()
    call_command("pam_partitions", "prepare", database=phase2, stdout=io.StringIO())
    assert all(status(table).verified_at for table in tables(phase2))
