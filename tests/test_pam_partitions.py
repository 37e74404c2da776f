"""The command `pam_partitions`: status, drain and drop (prepare and abandon: test_prepare)."""

import io
import json

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from pam.models import AuditLog
from pam.partitions.tables import Table, tables
from pam.postgres import catalog, monthly, monthly_retired
from pam.postgres.errors import LockUnavailable
from pam.postgres.monthly_retired import NotOurs
from pam.postgres.months import Month
from tests.support.databases import session
from tests.support.monthly import NOW
from tests.support.months import partitions


def run(alias: str, *arguments: str, **options: object) -> str:
    out = io.StringIO()
    call_command("pam_partitions", *arguments, database=alias, stdout=out, **options)
    return out.getvalue()


def audit(alias: str) -> Table:
    return next(table for table in tables(alias) if table.model is AuditLog)


def event(alias: str, time: str) -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_logs (id, event_type, action, result, timestamp, description)"
            " VALUES (gen_random_uuid(), 'compliance', 'x', 'success', %s, 'y')",
            [time],
        )


def retired(alias: str) -> str:
    """A month that was detached."""
    table = audit(alias)
    monthly.add_month(table.connection, table.move, Month(2019, 1))
    month = catalog.relation(table.connection, "audit_logs_2019_01")
    assert month is not None
    monthly_retired.retire_month(table.connection, table.move, month, NOW)
    return month.name


def test_status_for_a_program(migrated):
    event(migrated, "2099-01-01Z")
    audits, sessions = json.loads(run(migrated, "status", json=True, exact=True))
    assert (audits["table"], audits["state"]) == ("public.audit_logs", "partitioned")
    assert [month["name"] for month in audits["months"]][-1] == "audit_logs_default"
    assert (audits["months"][-1]["rows"], audits["months"][-1]["made_by_us"]) == (1, False)
    assert {month["state"] for month in sessions["months"]} == {"attached"}
    assert all(month["made_by_us"] and month["bytes"] > 0 for month in sessions["months"][:-1])


def test_status_for_a_person(migrated):
    text = run(migrated, "status")
    assert "public.audit_logs: partitioned" in text
    assert "about 0 rows" in text
    assert "about" not in run(migrated, "status", exact=True)


def test_a_dry_run_drains_nothing(migrated):
    event(migrated, "2099-01-01Z")
    assert "1 rows would move" in run(migrated, "drain", dry_run=True)
    assert "audit_logs_2099_01" not in partitions(migrated, "audit_logs")
    assert "1 rows moved" in run(migrated, "drain")
    assert "audit_logs_2099_01" in partitions(migrated, "audit_logs")


def test_a_drain_that_meets_a_reader_says_to_drain_again(migrated, brief):
    event(migrated, "2099-01-01Z")
    with session(migrated) as reader, reader.cursor() as reading:
        reading.execute("BEGIN; SELECT * FROM audit_logs")
        with pytest.raises(LockUnavailable, match=r"run it again: python manage\.py pam_partitions drain"):
            run(migrated, "drain")


def test_a_detached_month_is_dropped_by_name(migrated):
    name = retired(migrated)
    assert f"{name}: dropped" in run(migrated, "drop", partitions=[name])
    assert catalog.relation(connections[migrated], name) is None


def test_a_drop_that_meets_a_reader_says_to_drop_again(migrated, brief):
    name = retired(migrated)
    with session(migrated) as reader, reader.cursor() as reading:
        reading.execute(f"BEGIN; SELECT * FROM {name}")
        with pytest.raises(LockUnavailable, match=rf"run it again: .* drop --database {migrated} --partitions {name}"):
            run(migrated, "drop", partitions=[name])


def test_nothing_else_is_dropped(migrated):
    there = max(partitions(migrated, "audit_logs"))
    for name in (there, "audit_logs", "privileged_users", "nothing"):
        with pytest.raises(NotOurs, match="pam_partitions status"):
            run(migrated, "drop", partitions=[name])
        assert name == "nothing" or catalog.relation(connections[migrated], name)
    with pytest.raises(CommandError, match="which detached months"):
        run(migrated, "drop")
