"""`manage.py pam_analyze`: ANALYZE where it is due, partitioned tables as a whole too."""

import io
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from pam.health.statistics import due
from pam.management.commands import pam_analyze
from pam.monitoring.examine import examine, oids, table_names
from pam.postgres.analyze import analyze
from pam.postgres.errors import LockUnavailable, TableMissing
from pam.postgres.locks import Patience
from pam.postgres.server_state import server_state
from tests.support.bulk import add_audit_rows
from tests.support.databases import session
from tests.support.months import partitions

NOW = datetime(2026, 8, 17, 13, 37, 11, tzinfo=UTC)


def run(alias: str, **options: bool) -> str:
    out = io.StringIO()
    call_command("pam_analyze", database=alias, stdout=out, **options)
    return out.getvalue()


def due_now(alias: str) -> list[str]:
    connection = connections[alias]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
    return [table.name for table in due(server_state(connection, oids(connection, table_names())).statistics)]


@pytest.fixture
def filled(migrated):
    """6,000 events in this month and the next ones, which nobody analyzes but the test."""
    with connections[migrated].cursor() as cursor:
        first = min(partitions(migrated, "audit_logs"))
        for name in partitions(migrated, "audit_logs"):
            cursor.execute(f"ALTER TABLE {name} SET (autovacuum_enabled = false)")
        year, month = first.split("_")[-2:]
    add_audit_rows(migrated, 6000, days=80, begin=f"{year}-{month}-02 13:37:11+00")
    return migrated


def test_what_is_due_after_a_load(filled):
    months = sorted(partitions(filled, "audit_logs"))[:3]
    assert due_now(filled) == [*months, "audit_logs"]
    found = {one.subject for one in examine(connections[filled], NOW).findings if one.id == "never-analyzed"}
    assert found == {f"public.{name}" for name in (*months, "audit_logs")}
    assert run(filled).startswith("4 of ")
    assert due_now(filled) == []
    assert run(filled).startswith("0 of")


def test_the_whole_is_due_when_a_partition_was_analyzed_later_or_changed(filled):
    assert len(due_now(filled)) == 4
    run(filled)
    assert due_now(filled) == []
    first = min(partitions(filled, "audit_logs"))
    add_audit_rows(filled, 400, days=1, begin="-".join(first.split("_")[-2:]) + "-02 00:00:00+00")
    assert due_now(filled) == [first, "audit_logs"]


def test_a_dry_run(filled):
    assert "public.audit_logs: would be analyzed" in run(filled, dry_run=True)
    assert len(due_now(filled)) == 4


def test_all(migrated):
    count = len(server_state(connections[migrated], oids(connections[migrated], table_names())).statistics)
    assert run(migrated, all=True) == f"{count} of {count} tables and partitions analyzed\n"


def test_a_lock_in_the_way_is_named(filled, monkeypatch):
    monkeypatch.setattr("pam.postgres.analyze.CALM", Patience(50, 2, 0.01, 0.01))
    with session(filled) as other, other.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE audit_logs IN SHARE UPDATE EXCLUSIVE MODE")
        with pytest.raises(
            LockUnavailable, match=rf"(?s)pid {other.info.backend_pid} .*manage.py pam_analyze --database"
        ):
            run(filled)


def test_stopped(filled, monkeypatch):
    def interrupt_at_the_second(connection: object, oid: int) -> None:
        if done:
            raise KeyboardInterrupt
        done.append(oid)

    done: list[int] = []
    monkeypatch.setattr(pam_analyze, "analyze", interrupt_at_the_second)
    with pytest.raises(
        pam_analyze.Stopped, match=r"1 of 4 are analyzed\. To go on from there: python manage.py pam_an"
    ):
        run(filled)


def test_a_table_that_was_dropped_meanwhile_is_passed_over(migrated):
    connection = connections[migrated]
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE gone (); SELECT 'gone'::regclass::oid")
        (oid,) = cursor.fetchone()
        cursor.execute("DROP TABLE gone")
    analyze(connection, oid)


def test_who_keeps_readers_out_is_not_waited_for(filled, monkeypatch):
    monkeypatch.setattr(pam_analyze, "LONGEST_MS", 50)
    with session(filled) as other, other.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE audit_logs IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(CommandError, match=f"nothing was analyzed. See who: .*pam_plan --database {filled}"):
            run(filled)


def test_without_tables(database):
    with pytest.raises(TableMissing, match="showmigrations pam"):
        run(database)
