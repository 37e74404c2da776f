"""`manage.py pgpartition` of django-postgres-extra, through our manager."""

from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections
from django.test import override_settings
from psqlextra.partitioning.config import PostgresPartitioningConfig

from pam.models import AuditLog, Session
from pam.partitions.manager import MonthlyManager, manager
from pam.partitions.strategy import MonthlyStrategy
from pam.partitions.tables import tables
from pam.postgres import monthly
from pam.postgres.errors import LockUnavailable
from pam.postgres.monthly import NotPartitioned
from pam.postgres.monthly_catalog import months_of
from pam.postgres.months import Month
from tests.support.databases import session
from tests.support.monthly import NOW
from tests.support.months import BEGIN, partitions

LATER = NOW.replace(year=2031)


def manager_at(retention=None) -> MonthlyManager:
    strategy = MonthlyStrategy(now=lambda: LATER, retention=retention)
    return MonthlyManager([PostgresPartitioningConfig(model, strategy) for model in (AuditLog, Session)])


def planned(alias: str, retention=None, **options: Any) -> tuple[set[str], set[str]]:
    plan = manager_at(retention).plan(using=alias, **options)
    return {one.name() for one in plan.creations}, {one.name() for one in plan.deletions}


AHEAD = {"2031_01", "2031_02", "2031_03"}


@override_settings(PAM_PARTITION_PREMAKE=2)
def test_it_makes_months_from_midnight_whatever_the_hour(migrated):
    assert planned(migrated) == (AHEAD, set())
    manager_at().plan(using=migrated).apply(using=migrated)
    assert planned(migrated) == (set(), set())
    bounds = partitions(migrated, "sessions")
    assert bounds["sessions_2031_01"] == "FOR VALUES FROM ('2031-01-01 00:00:00+00') TO ('2031-02-01 00:00:00+00')"


@override_settings(PAM_PARTITION_PREMAKE=2)
def test_a_skip_is_a_skip(migrated):
    assert planned(migrated, retention=1, skip_create=True)[0] == set()
    assert planned(migrated, retention=1, skip_delete=True) == (AHEAD, set())


@override_settings(PAM_PARTITION_PREMAKE=1)
def test_retirement_past_a_gap_leaves_what_is_not_ours(migrated):
    audit = next(table for table in tables(migrated) if table.model is AuditLog)
    for month in (Month(2019, 1), Month(2019, 3), Month(2020, 7)):
        monthly.add_month(audit.connection, audit.move, month)
    with connections[migrated].cursor() as cursor:
        cursor.execute("COMMENT ON TABLE audit_logs_2019_03 IS 'kept for the court'")
    plan = manager_at(retention=12 * 11).plan(using=migrated, model_names=["AuditLog"])
    assert [one.name() for one in plan.deletions] == ["2019_01"]
    plan.apply(using=migrated)
    there = partitions(migrated, "audit_logs")
    assert "audit_logs_2019_01" not in there
    assert {"audit_logs_2019_03", "audit_logs_2020_07"} <= set(there)
    with connections[migrated].cursor() as cursor:
        cursor.execute("SELECT obj_description('audit_logs_2019_01'::regclass)")
        assert cursor.fetchone()[0].startswith("detached from public.audit_logs on ")
        cursor.execute("SELECT tgname FROM pg_trigger WHERE tgrelid = 'audit_logs_2019_01'::regclass ORDER BY 1")
        assert cursor.fetchall() == [("pam_refuse_change",), ("pam_refuse_truncate",)]


@override_settings(PAM_PARTITION_PREMAKE=60)
def test_the_premake_of_the_settings_and_a_dry_run(migrated, capsys):
    call_command("pgpartition", dry=True, using=migrated, model_names=["session"])
    assert "partitions will be created" in capsys.readouterr().out
    before = partitions(migrated, "sessions")
    call_command("pgpartition", yes=True, using=migrated, model_names=["session"])
    assert len(partitions(migrated, "sessions")) > len(before)
    assert [one.config.model for one in manager.plan(using=migrated).model_plans] == [AuditLog]


def test_a_table_of_that_name_in_another_schema_is_another_table(migrated):
    with connections[migrated].cursor() as cursor:
        cursor.execute("CREATE SCHEMA other")
        cursor.execute("CREATE TABLE other.audit_logs (timestamp timestamptz) PARTITION BY RANGE (timestamp)")
        cursor.execute("CREATE TABLE other.audit_logs_2031_01 PARTITION OF other.audit_logs DEFAULT")
    assert "2031_01" in planned(migrated)[0]


def test_a_table_that_is_plain_here_is_skipped_with_a_line(phase2, caplog):
    assert planned(phase2) == (set(), set())
    assert "audit_logs is not partitioned here yet: python manage.py migrate" in caplog.text.replace('"', "")


def test_planned_before_the_way_back_it_leaves_nothing(migrated):
    plan = manager_at().plan(using=migrated)
    with connections[migrated].cursor() as cursor:
        call_command("migrate", "pam", BEGIN, database=migrated, verbosity=0)
        with pytest.raises(NotPartitioned, match="is a plain table, and got no month"):
            plan.apply(using=migrated)
        cursor.execute("SELECT relname FROM pg_class WHERE relname LIKE 'audit_logs_2%'")
        assert cursor.fetchall() == []
    call_command("migrate", "pam", database=migrated, verbosity=0)


@override_settings(PAM_PARTITION_PREMAKE=1)
def test_who_is_in_the_way_is_named_and_what_to_run_again(migrated, brief):
    with session(migrated) as reader, reader.cursor() as reading:
        reading.execute("BEGIN; SELECT * FROM audit_logs")
        with pytest.raises(LockUnavailable, match=r"run it again: python manage\.py pgpartition --using") as error:
            manager_at().plan(using=migrated).apply(using=migrated)
        assert reader.info.backend_pid in [holder.pid for holder in error.value.holders]
    manager_at().plan(using=migrated).apply(using=migrated)
    assert planned(migrated) == (set(), set())


def test_a_detachment_that_was_begun_is_planned_again(migrated):
    audit = next(table for table in tables(migrated) if table.model is AuditLog)
    monthly.add_month(audit.connection, audit.move, Month(2019, 1))
    with connections[migrated].cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_logs (id, event_type, action, result, timestamp, description)"
            " VALUES (gen_random_uuid(), 'compliance', 'x', 'success', '2019-01-31Z', 'y')"
        )
    with session(migrated) as reader, session(migrated) as killed:
        with killed.cursor() as cursor:
            cursor.execute("ALTER TABLE audit_logs DETACH PARTITION audit_logs_default")
        with reader.cursor() as reading:
            reading.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM audit_logs")
            with killed.cursor() as cursor:
                cursor.execute("SET lock_timeout = '200ms'")
                with pytest.raises(Exception, match="lock timeout"):
                    cursor.execute("ALTER TABLE audit_logs DETACH PARTITION audit_logs_2019_01 CONCURRENTLY")
    assert "2019_01" in planned(migrated)[1]
    manager_at().plan(using=migrated, skip_create=True).apply(using=migrated)
    assert Month(2019, 1) not in [one.month for one in months_of(audit.connection, audit.move.source)]
    with connections[migrated].cursor() as cursor, pytest.raises(Exception, match="append-only"):
        cursor.execute("DELETE FROM audit_logs_2019_01")
