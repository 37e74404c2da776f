"""What pam_status finds, as warnings of `manage.py check`."""

import io

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connections

from pam.checks import check_health
from pam.partitions.tables import tables
from pam.postgres import monthly
from pam.postgres.months import Month
from tests.support.monthly import NOW

LATER = NOW.replace(year=2031)


def warnings(alias: str) -> list[tuple[str | None, str]]:
    return [(one.id, one.msg) for one in check_health([alias], LATER)]


def test_months_ahead_are_counted_from_the_clock(migrated):
    for month, says in ((1, "no month for today"), (2, "no month ahead"), (3, "only one month ahead")):
        assert warnings(migrated) == [
            ("pam.months-ahead-few", f"public.{name} in {migrated}: it has {says}.")
            for name in ("audit_logs", "sessions")
        ]
        for table in tables(migrated):
            monthly.add_month(table.connection, table.move, Month(2031, month))
    assert warnings(migrated) == []


def test_the_hints_name_the_command(migrated):
    assert {one.hint for one in check_health([migrated], LATER)} == {
        f"Make more, best every day: python manage.py pgpartition --yes --using {migrated}"
    }


def test_rows_in_a_default_partition(migrated):
    with connections[migrated].cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_logs (id, event_type, action, result, timestamp, description)"
            " VALUES (gen_random_uuid(), 'compliance', 'x', 'success', '2099-01-01Z', 'y')"
        )
    (found,) = check_health([migrated])
    assert found.id == "pam.default-rows"
    assert found.hint == f"Move them to their months: python manage.py pam_partitions drain --database {migrated}"


def test_it_is_asked_for_databases_only(migrated):
    assert check_health(None, LATER) == []
    assert check_health([], LATER) == []


def test_plain_tables_need_no_months(phase2):
    assert check_health([phase2], LATER) == []


def test_check_runs_it(migrated):
    with connections[migrated].cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_logs (id, event_type, action, result, timestamp, description)"
            " VALUES (gen_random_uuid(), 'compliance', 'x', 'success', '2099-01-01Z', 'y')"
        )
    with pytest.raises(SystemCheckError, match=r"pam\.default-rows"):
        call_command("check", databases=[migrated], fail_level="WARNING", stderr=io.StringIO())


def test_a_prepared_way_back_is_told_until_it_is_abandoned(migrated):
    assert check_health([migrated]) == []
    call_command("pam_partitions", "prepare", database=migrated, back=True, stdout=io.StringIO())
    found = check_health([migrated])
    assert [one.id for one in found] == ["pam.conversion-unfinished", "pam.conversion-unfinished"]
    assert all(str(one.hint).endswith(f"pam_partitions abandon --database {migrated}") for one in found)
    call_command("pam_partitions", "abandon", database=migrated, stdout=io.StringIO())
    assert check_health([migrated]) == []
