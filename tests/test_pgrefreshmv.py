"""`pgrefreshmv` refreshes each report; what it cannot do is one sentence."""

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


@pytest.mark.parametrize("concurrently", [False, True])
def test_the_database_that_was_asked_is_refreshed(migrated: str, concurrently: bool) -> None:
    build(PrivilegedUser, risk_level="critical").save(using=migrated)
    call_command("pgrefreshmv", "pam", "AccountRiskReport", concurrently=concurrently, database=migrated)
    (row,) = AccountRiskReport.objects.using(migrated)
    assert (row.risk_level, row.is_risky, row.department) == ("critical", True, None)
    for report in REPORTS:
        call_command("pgrefreshmv", "pam", report.__name__, concurrently=concurrently, database=migrated)
    assert AccountRiskReport.objects.using(migrated).get().refreshed_at >= row.refreshed_at


def test_without_a_name_of_a_database_it_is_the_default(db: None) -> None:
    build(PrivilegedUser, risk_level="critical").save()
    call_command("pgrefreshmv", "pam", "accountriskreport")
    assert AccountRiskReport.objects.count() == 1


def test_the_reports_are_named_to_who_mistypes_one() -> None:
    with pytest.raises(CommandError, match=r"no report pam Nonsense\. There are: pam PrivilegedAccessReport, pam Cred"):
        call_command("pgrefreshmv", "pam", "Nonsense")


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
        assert f"python manage.py pgrefreshmv pam AuditEventReport --concurrently --database {migrated}" in str(
            refusal.value
        )
        assert AuditEventReport.objects.using(migrated).count() == 0
    finally:
        execute(migrated, "RESET ROLE", f"DROP OWNED BY {role}", f"DROP ROLE {role}")
