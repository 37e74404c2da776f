"""The command of the library refreshes each report; what it cannot do is one sentence."""

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.utils import timezone

from pam.models import AccountRiskReport, AuditEventReport, PrivilegedUser
from pam.models.reports import REPORTS
from tests.support.rows import build


def execute(alias: str, *statements: str) -> None:
    with connections[alias].cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@pytest.fixture
def default_database(db: None) -> None:
    """The database that the library's command knows, with a user who is risky."""
    build(PrivilegedUser, risk_level="critical").save()


@pytest.mark.parametrize("concurrently", [False, True])
def test_the_command_of_the_library(default_database: None, concurrently: bool) -> None:
    assert not AccountRiskReport.objects.exists()
    call_command("pgrefreshmv", "pam", "AccountRiskReport", concurrently=concurrently)
    (row,) = AccountRiskReport.objects.all()
    assert (row.risk_level, row.is_risky, row.department) == ("critical", True, None)
    first = row.refreshed_at
    for report in REPORTS:
        call_command("pgrefreshmv", "pam", report.__name__, concurrently=concurrently)
    assert AccountRiskReport.objects.get().refreshed_at == first, "the time of one and the same transaction"


def test_each_refresh_is_younger(migrated: str) -> None:
    build(PrivilegedUser, risk_level="critical").save(using=migrated)
    times = []
    for concurrently in (False, True, True):
        before = timezone.now()
        AccountRiskReport.refresh(concurrently, using=migrated)
        times.append(AccountRiskReport.objects.using(migrated).get().refreshed_at)
        assert before <= times[-1] <= timezone.now()
    assert times == sorted(set(times))


def test_one_that_was_never_filled_is_filled_in_the_only_way_there_is(migrated: str) -> None:
    execute(migrated, "REFRESH MATERIALIZED VIEW report_account_risk WITH NO DATA")
    build(PrivilegedUser, risk_level="critical").save(using=migrated)
    AccountRiskReport.refresh(concurrently=True, using=migrated)
    assert AccountRiskReport.objects.using(migrated).count() == 1


def test_a_report_that_is_not_there_is_one_sentence(phase2: str) -> None:
    with pytest.raises(CommandError, match=r"no materialized view report_audit_events.*phase 3"):
        AuditEventReport.refresh(using=phase2)


def test_who_does_not_own_it_is_told_so(migrated: str) -> None:
    role = f"reader_{migrated}"
    execute(migrated, f"CREATE ROLE {role}", f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    try:
        execute(migrated, f"SET ROLE {role}")
        with pytest.raises(CommandError, match=r"must be owner|permission denied") as refusal:
            AuditEventReport.refresh(concurrently=True, using=migrated)
        assert f"AuditEventReport.refresh(concurrently=True, using='{migrated}')" in str(refusal.value)
        assert AuditEventReport.objects.using(migrated).count() == 0
    finally:
        execute(migrated, "RESET ROLE", f"DROP OWNED BY {role}", f"DROP ROLE {role}")
