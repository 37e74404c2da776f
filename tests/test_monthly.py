"""Months that come and go after the conversion: pgpartition, retirement, draining, the system check."""

import io
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import cast
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connections

from pam.checks import check_health
from pam.models import AuditLog
from pam.partitions.manager import manager
from pam.partitions.status import months_ahead
from pam.partitions.strategy import MonthlyStrategy, MonthPartition
from pam.partitions.tables import Table, tables
from pam.postgres import catalog, locks, monthly, monthly_retired
from pam.postgres.errors import LockUnavailable, NameTaken
from pam.postgres.locks import Patience
from pam.postgres.months import Month, months
from tests.support.bulk import audit_checksum
from tests.support.databases import session
from tests.support.months import left_over, partitions

LATE = datetime(2027, 2, 1, 13, 59, 59, 999999, tzinfo=timezone(timedelta(hours=14)))
EVENT = (
    "INSERT INTO audit_logs (id, event_type, action, result, timestamp, description)"
    " VALUES (%s, 'compliance', 'x', 'success', %s, 'y')"
)


def audit(alias: str) -> Table:
    return next(table for table in tables(alias) if table.model is AuditLog)


def sessions(alias: str) -> Table:
    return next(table for table in tables(alias) if table.model is not AuditLog)


def dress_of(alias: str, name: str) -> list[tuple[object, ...]]:
    """What a partition wears, without its own name."""
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT 'index', replace(pg_get_indexdef(indexrelid), right(%(name)s, 7), 'MONTH'), indisvalid::text"
            " FROM pg_index WHERE indrelid = %(name)s::regclass"
            " UNION ALL SELECT 'constraint', replace(conname, right(%(name)s, 7), 'MONTH'),"
            " concat(contype, conislocal, coninhcount, convalidated) FROM pg_constraint"
            " WHERE conrelid = %(name)s::regclass"
            " UNION ALL SELECT 'trigger', tgname, concat(tgtype, tgenabled) FROM pg_trigger"
            " WHERE tgrelid = %(name)s::regclass AND NOT tgisinternal"
            " UNION ALL SELECT 'column', attname, concat(attnotnull, attislocal, attinhcount, atthasdef)"
            " FROM pg_attribute WHERE attrelid = %(name)s::regclass AND attnum > 0"
            " UNION ALL SELECT 'comment', obj_description(%(name)s::regclass), ''"
            " ORDER BY 1, 2, 3",
            {"name": name},
        )
        return list(cursor.fetchall())


def test_months_of_a_clock_in_another_zone():
    assert Month.of(LATE) == Month(2027, 1)
    assert Month.of(LATE + timedelta(microseconds=1)) == Month(2027, 2)
    assert [month.suffix for month in months(Month(2026, 11), Month(2027, 2))] == [
        "2026_11",
        "2026_12",
        "2027_01",
        "2027_02",
    ]
    with pytest.raises(ValueError, match="no time zone"):
        Month.of(datetime(2026, 1, 1))  # noqa: DTZ001


def test_the_strategy_has_no_gap_and_no_overlap():
    made = [cast(MonthPartition, partition).month for partition in MonthlyStrategy(now=lambda: LATE).to_create()]
    assert made[0] == Month(2027, 1)
    assert all(earlier.end == later.start for earlier, later in pairwise(made))
    assert list(MonthlyStrategy(now=lambda: LATE).to_delete()) == []


@pytest.mark.parametrize("table", ["audit_logs", "sessions"])
def test_a_month_added_later_is_like_one_of_the_conversion(migrated, table):
    ours = next(one for one in tables(migrated) if one.layout.table.strip('"') == table)
    month = Month(2031, 2)
    assert monthly.add_month(ours.connection, ours.move, month)
    assert not monthly.add_month(ours.connection, ours.move, month), "it is there already"
    assert partitions(migrated, table)[f"{table}_2031_02"] == (
        "FOR VALUES FROM ('2031-02-01 00:00:00+00') TO ('2031-03-01 00:00:00+00')"
    )
    first = min(partitions(migrated, table))
    assert dress_of(migrated, f"{table}_2031_02") == dress_of(migrated, first)
    assert left_over(migrated) == []


def test_pgpartition_makes_what_is_missing_on_the_database_asked_for(migrated, capsys):
    with connections[migrated].cursor() as cursor:
        for table in ("audit_logs", "sessions"):
            for name in sorted(partitions(migrated, table))[-4:-1]:
                cursor.execute(f"DROP TABLE {name}")
    (warning, other) = check_health([migrated])
    assert warning.id == other.id == "pam.months-ahead-few"
    call_command("pgpartition", dry=True, using=migrated)
    assert "6 partitions will be created" in capsys.readouterr().out
    assert len(check_health([migrated])) == 2, "a dry run makes nothing"
    call_command("pgpartition", yes=True, using=migrated)
    assert check_health([migrated]) == []
    assert len(manager.plan(using=migrated).creations) == 0


def test_plain_tables_are_left_alone(phase2, capsys):
    call_command("pgpartition", yes=True, using=phase2)
    assert "Nothing to be done" in capsys.readouterr().out
    assert check_health([phase2]) == []


def test_a_name_that_is_taken(migrated):
    table = audit(migrated)
    with connections[migrated].cursor() as cursor:
        cursor.execute("CREATE TABLE audit_logs_2031_02 ()")
    with pytest.raises(NameTaken, match="audit_logs_2031_02"):
        monthly.add_month(table.connection, table.move, Month(2031, 2))


def test_retirement_detaches_and_drops_nothing(migrated):
    table = audit(migrated)
    month = min(partitions(migrated, "audit_logs"))
    with connections[migrated].cursor() as cursor:
        cursor.execute(EVENT, [uuid4(), datetime.now(UTC)])
        found = catalog.relation(table.connection, month)
        assert found is not None
        monthly_retired.retire_month(table.connection, table.move, found, LATE)
        assert month not in partitions(migrated, "audit_logs")
        cursor.execute(f"SELECT count(*), obj_description('{month}'::regclass) FROM {month}")
        assert cursor.fetchone() == (1, f"detached from public.audit_logs on {LATE.isoformat()}")


def test_the_default_partition_is_drained_and_stays_append_only(migrated):
    table = audit(migrated)
    times = [datetime(year, 12, 31, 23, 59, 59, 999999, tzinfo=UTC) for year in (1970, 2019, 2099)]
    with connections[migrated].cursor() as cursor:
        for time in times:
            cursor.execute(EVENT, [uuid4(), time])
        before = audit_checksum(migrated)
        (warning,) = check_health([migrated])
        assert warning.id == "pam.default-rows"
        with pytest.raises(monthly.DefaultHasRows, match="drain"):
            monthly.add_month(table.connection, table.move, Month(2099, 12))
        out = io.StringIO()
        call_command("pam_partitions", "drain", database=migrated, stdout=out)
        assert "3 rows moved" in out.getvalue()
        cursor.execute("SELECT tableoid::regclass::text FROM audit_logs ORDER BY timestamp")
        assert [name for (name,) in cursor.fetchall()] == [
            "audit_logs_1970_12",
            "audit_logs_2019_12",
            "audit_logs_2099_12",
        ]
    assert audit_checksum(migrated) == before
    assert check_health([migrated]) == []
    assert left_over(migrated) == []
    for name in ("audit_logs_default", "audit_logs_1970_12"):
        for statement in (f"TRUNCATE {name}", f"DELETE FROM {name}"):
            with connections[migrated].cursor() as cursor:
                if name.endswith("default") and statement.startswith("DELETE"):
                    continue
                with pytest.raises(Exception, match="is append-only"):
                    cursor.execute(statement)


def test_a_report_on_users_is_named_and_nobody_waits(migrated, monkeypatch):
    monkeypatch.setattr(locks, "BRIEF", Patience(lock_timeout_ms=50, attempts=3, first_pause=0.05, longest_pause=0.05))
    table = sessions(migrated)
    with session(migrated) as writer, writer.cursor() as writing:
        writing.execute("BEGIN; LOCK TABLE privileged_users IN ROW EXCLUSIVE MODE")
        with pytest.raises(LockUnavailable) as error:
            monthly.add_month(table.connection, table.move, Month(2031, 2))
        assert writer.info.backend_pid in [holder.pid for holder in error.value.holders]
    assert monthly.add_month(table.connection, table.move, Month(2031, 2)), "what was left is made anew"
    assert months_ahead(table, datetime(2031, 1, 31, 13, tzinfo=UTC)) == -1
