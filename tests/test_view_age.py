"""How old a report is, and why nobody can tell where nobody can."""

from datetime import UTC, timedelta
from typing import Any

from django.db import connections, transaction
from django.utils import timezone

from pam.models import PrivilegedUser
from pam.models.reports import REPORTS, AccountRiskReport, ages
from pam.postgres.view_age import Filling, ViewAge, age_of
from tests.support.databases import session
from tests.support.rows import build

VIEW = "report_account_risk"


def age(alias: str) -> ViewAge:
    return age_of(connections[alias], VIEW)


def execute(alias: str, statement: str) -> Any:
    with connections[alias].cursor() as cursor:
        cursor.execute(statement)


def fill(alias: str) -> None:
    build(PrivilegedUser, risk_level="critical").save(using=alias)
    AccountRiskReport.refresh(using=alias)


def test_a_report_with_rows_says_it_by_the_clock_of_the_server(migrated: str) -> None:
    before = timezone.now()
    fill(migrated)
    after = timezone.now()
    found = age(migrated)
    assert found.filling is Filling.ROWS
    assert found.refreshed_at is not None
    assert found.age is not None
    assert before <= found.refreshed_at <= after
    assert found.refreshed_at.tzinfo is UTC
    assert timedelta(0) < found.age <= timezone.now() - before


def test_it_ages_until_it_is_refreshed(migrated: str) -> None:
    fill(migrated)
    first, second = age(migrated), age(migrated)
    assert first.age is not None
    assert second.age is not None
    assert second.age > first.age
    assert second.refreshed_at == first.refreshed_at
    AccountRiskReport.refresh(concurrently=True, using=migrated)
    third = age(migrated)
    assert third.refreshed_at is not None
    assert first.refreshed_at is not None
    assert third.refreshed_at > first.refreshed_at


def test_data_is_never_older_than_it_says(migrated: str) -> None:
    """In a transaction that sees the database as it was at its beginning, a refresh says that time and no later one."""
    with session(migrated) as other, other.cursor() as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT clock_timestamp()")
        ((began,),) = cursor.fetchall()
        build(PrivilegedUser, risk_level="critical").save(using=migrated)
        PrivilegedUser.objects.using(migrated).update(risk_level="low")
        build(PrivilegedUser, risk_level="high").save(using=migrated)
        AccountRiskReport.refresh(using=migrated)
        assert age(migrated).filling is Filling.ROWS
        cursor.execute(f"REFRESH MATERIALIZED VIEW CONCURRENTLY {VIEW}; COMMIT")
    assert age(migrated).filling is Filling.NO_ROWS, "it saw the database without that user"
    AccountRiskReport.refresh(using=migrated)
    seen = age(migrated).refreshed_at
    assert seen is not None
    assert seen > began


def test_of_all_others_nobody_can_tell(migrated: str) -> None:
    assert age(migrated) == ViewAge(VIEW, Filling.NO_ROWS)
    execute(migrated, f"REFRESH MATERIALIZED VIEW {VIEW} WITH NO DATA")
    assert age(migrated) == ViewAge(VIEW, Filling.NEVER_FILLED)
    execute(migrated, f"DROP MATERIALIZED VIEW {VIEW}")
    assert age(migrated) == ViewAge(VIEW, Filling.NOT_THERE)
    execute(migrated, f"CREATE TABLE {VIEW} (refreshed_at timestamptz)")
    assert age(migrated) == ViewAge(VIEW, Filling.NOT_THERE)


def test_a_role_that_may_not_read_it_is_told_so_and_goes_on(migrated: str) -> None:
    role = f"nobody_{migrated}"
    execute(migrated, f"CREATE ROLE {role}")
    try:
        with transaction.atomic(using=migrated):
            execute(migrated, f"SET LOCAL ROLE {role}")
            assert [one.filling for one in ages(migrated)] == [Filling.NOT_READABLE] * len(REPORTS)
    finally:
        execute(migrated, f"DROP ROLE {role}")


def test_before_phase_3_no_report_is_there(phase2: str) -> None:
    assert ages(phase2) == [ViewAge(report._meta.db_table, Filling.NOT_THERE) for report in REPORTS]
