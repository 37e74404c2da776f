"""What the reports say, figure by figure, against plain Python over the rows of a company; how they are refreshed."""

from collections import Counter, defaultdict
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from pam.models import (
    AccountRiskReport,
    AuditLog,
    Credential,
    CredentialRotation,
    CredentialRotationReport,
    DirectoryRole,
    PrivilegedAccessReport,
    PrivilegedUser,
    RoleAssignment,
    ServiceIdentity,
)
from pam.models.reports import REPORTS
from tests.support.reports import alike, rows_of
from tests.support.rows import build

DAY = timedelta(days=1)
ODD_NAMES = ('R&D "alpha", \\ 100%', "", "null", "Zürich 東京 🗝", "two\nlines", "x" * 255)


def execute(alias: str, *statements: str) -> None:
    with connections[alias].cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@pytest.fixture
def odd_company(company: str) -> str:
    """A company in which some belong to no department, some to one with an odd name, and some things are off."""
    now = timezone.now()

    def change(rows: Any, some: slice, **values: Any) -> None:
        ids = rows.using(company).order_by("id").values_list("id", flat=True)[some]
        assert rows.using(company).filter(pk__in=list(ids)).update(**values) > 0

    people, services = PrivilegedUser.objects, ServiceIdentity.objects
    for place, name in enumerate((None, *ODD_NAMES)):
        change(people, slice(place * 7, place * 7 + 7), department=name)
        change(services, slice(place * 7, place * 7 + 5), department=name)
    change(people, slice(100, 120), last_sign_in=now - 200 * DAY, last_activity=now - 91 * DAY)
    change(people, slice(120, 140), last_sign_in=None, last_activity=None)
    change(people, slice(140, 150), last_sign_in=None, last_activity=now - DAY, risk_level="low")
    change(services, slice(60, 70), last_used=None)
    change(services, slice(70, 80), last_used=now - 90 * DAY - timedelta(minutes=5))
    for some, values in (
        (slice(0, 4), {"is_deleted": True, "deleted_at": now}),
        (slice(4, 8), {"blocked_sign_in": True}),
        (slice(8, 12), {"account_enabled": False}),
        (slice(12, 16), {"is_active": False}),
    ):
        change(people.filter(role_assignments__is_active=True), some, **values)
    build(PrivilegedUser, created_at=now - DAY).save(using=company)

    secrets = Credential.objects.filter(status="active")
    change(secrets, slice(0, 20), next_rotation_date=None)
    change(secrets, slice(20, 40), next_rotation_date=now + 13 * DAY)
    change(secrets, slice(40, 50), is_deleted=True, deleted_at=now)
    change(secrets, slice(60, 80), expires_at=now - DAY)

    held = RoleAssignment.objects.filter(is_active=True, is_emergency=False)
    change(held, slice(20, 30), is_deleted=True, deleted_at=now)
    change(held, slice(40, 60), requires_certification=True, next_certification_date=now - DAY, expires_at=None)
    return company


def by_id(model: Any, alias: str) -> dict[Any, Any]:
    return {row.pk: row for row in model.all_objects.using(alias)}


def active(row: Any) -> bool:
    return row.is_active and not row.is_deleted


def test_privileged_access(odd_company: str) -> None:
    rows = rows_of(PrivilegedAccessReport, odd_company)
    now = rows[0]["refreshed_at"]
    users, identities = by_id(PrivilegedUser, odd_company), by_id(ServiceIdentity, odd_company)
    roles = by_id(DirectoryRole, odd_company)
    groups: dict[Any, list[RoleAssignment]] = defaultdict(list)
    for one in filter(active, by_id(RoleAssignment, odd_company).values()):
        holder = users.get(one.user_id) or identities[one.service_identity_id]
        groups[one.directory_role_id, holder.department].append(one)
    expected = [
        {
            "role_id": role,
            "role_name": roles[role].role_name,
            "risk_level": roles[role].risk_level,
            "is_privileged": roles[role].is_privileged,
            "department": department,
            "assignments": len(held),
            "users": len({one.user_id for one in held} - {None}),
            "service_identities": len({one.service_identity_id for one in held} - {None}),
            "emergencies": sum(one.is_emergency for one in held),
            "without_end": sum(one.expires_at is None for one in held),
            "past_end": sum(one.expires_at is not None and one.expires_at < now for one in held),
            "to_certify": sum(one.requires_certification and one.next_certification_date <= now for one in held),
            "of_closed_holders": sum(
                not active(users.get(one.user_id) or identities[one.service_identity_id]) for one in held
            ),
        }
        for (role, department), held in groups.items()
    ]
    alike(rows, expected)
    for name in ("users", "service_identities", "without_end", "past_end", "to_certify", "of_closed_holders"):
        assert sum(row[name] for row in rows) > 0, name
    assert {None, *ODD_NAMES} <= {row["department"] for row in rows}


def test_credential_rotation(odd_company: str) -> None:
    rows = rows_of(CredentialRotationReport, odd_company)
    now = rows[0]["refreshed_at"]
    identities = by_id(ServiceIdentity, odd_company)
    last: dict[Any, CredentialRotation] = {}
    for rotation in CredentialRotation.objects.using(odd_company).order_by("scheduled_date", "id"):
        last[rotation.credential_id] = rotation
    groups: dict[Any, list[Credential]] = defaultdict(list)
    for one in Credential.objects.using(odd_company).filter(status="active"):
        owner = identities[one.service_identity_id]
        groups[owner.environment, owner.department, one.credential_type].append(one)
    expected = []
    for (environment, department, kind), some in groups.items():
        due = [one.next_rotation_date for one in some if one.next_rotation_date and one.next_rotation_date <= now]
        to_come = [one.next_rotation_date for one in some if one.next_rotation_date and one.next_rotation_date > now]
        expected.append(
            {
                "environment": environment,
                "department": department,
                "credential_type": kind,
                "credentials": len(some),
                "on_schedule": len(to_come),
                "overdue": len(due),
                "unscheduled": sum(one.next_rotation_date is None for one in some),
                "due_soon": sum(time <= now + 14 * DAY for time in to_come),
                "rotated_by_hand": sum(not one.auto_rotation_enabled for one in some),
                "rotation_failed": sum(one.pk in last and last[one.pk].status == "failed" for one in some),
                "expired": sum(one.expires_at is not None and one.expires_at < now for one in some),
                "oldest_due": min(due, default=None),
            }
        )
    alike(rows, expected)
    for row in rows:
        assert row["credentials"] == row["on_schedule"] + row["overdue"] + row["unscheduled"]
    for name in ("on_schedule", "unscheduled", "due_soon", "rotated_by_hand", "rotation_failed", "overdue"):
        assert sum(row[name] for row in rows) > 0, name


def test_accounts_to_look_at(odd_company: str) -> None:
    rows = rows_of(AccountRiskReport, odd_company)
    now = rows[0]["refreshed_at"]
    roles = by_id(DirectoryRole, odd_company)
    held: dict[Any, list[bool]] = defaultdict(list)
    for one in filter(active, by_id(RoleAssignment, odd_company).values()):
        held[one.user_id or one.service_identity_id].append(roles[one.directory_role_id].is_privileged)
    expected = []
    for kind, accounts in (
        ("user", by_id(PrivilegedUser, odd_company)),
        ("service_identity", by_id(ServiceIdentity, odd_company)),
    ):
        for pk, account in accounts.items():
            times = (account.last_sign_in, account.last_activity) if kind == "user" else (account.last_used,)
            seen = max((time for time in times if time), default=None)
            closed = not active(account) or not account.account_enabled
            closed = closed or (kind == "user" and account.blocked_sign_in)
            dormant = (seen or account.created_at) < now - 90 * DAY
            risky = account.risk_level in ("high", "critical") or account.compliance_status == "non_compliant"
            if (closed and held[pk]) or (not closed and (dormant or risky)):
                expected.append(
                    {
                        "kind": kind,
                        "account_id": pk,
                        "name": account.upn if kind == "user" else account.name,
                        "department": account.department,
                        "risk_level": account.risk_level,
                        "risk_score": account.risk_score,
                        "compliance_status": account.compliance_status,
                        "last_seen": seen,
                        "roles": len(held[pk]),
                        "privileged_roles": sum(held[pk]),
                        "is_closed": closed,
                        "is_dormant": dormant,
                        "is_risky": risky,
                    }
                )
    alike(rows, expected)
    questions = AccountRiskReport.objects.using(odd_company)
    for found in (questions.dormant(), questions.risky(), questions.closed_with_roles()):
        assert 0 < found.count() < len(rows)
    assert Counter(row["kind"] for row in rows).keys() == {"user", "service_identity"}


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.__name__)
def test_the_session_that_refreshes_changes_nothing(odd_company: str, report: Any) -> None:
    """Neither its time zone nor its way to write dates: keys, days, months and periods stay those of UTC."""
    fill_now(odd_company)
    wanted = rows_of(report, odd_company)
    for zone in ("Pacific/Kiritimati", "America/New_York", "Asia/Kathmandu"):
        execute(
            odd_company, f"SET TIME ZONE '{zone}'", "SET DateStyle = 'SQL, DMY'", "SET IntervalStyle = 'sql_standard'"
        )
        report.refresh(using=odd_company)
        execute(odd_company, "SET TIME ZONE 'UTC'", "RESET DateStyle", "RESET IntervalStyle")
        found = report.objects.using(odd_company).values()
        without_age = [{**row, "refreshed_at": None} for row in found]
        alike([{**row, "refreshed_at": 1} for row in found], [_bare(row) for row in wanted])
        assert {row["key"] for row in without_age} == {row["key"] for row in wanted}


def fill_now(alias: str) -> None:
    """Some events of today, whenever that is."""
    for hours in (0, 5, 30):
        build(AuditLog, timestamp=timezone.now() - timedelta(hours=hours)).save(using=alias)


def _bare(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("key", "refreshed_at")}


def test_questions_have_answers(odd_company: str) -> None:
    PrivilegedAccessReport.refresh(using=odd_company)
    CredentialRotationReport.refresh(using=odd_company)
    access = PrivilegedAccessReport.objects.using(odd_company)
    assert access.privileged().exists()
    assert all(row.is_privileged for row in access.privileged())
    assert {row.department for row in access.of_department(None)} == {None}
    assert {row.department for row in access.of_department("")} == {""}
    assert {row.department for row in access.search("100%")} == {ODD_NAMES[0]}
    rotation = CredentialRotationReport.objects.using(odd_company)
    for row in rotation:
        assert (row.percent_on_schedule < 100) == (row in rotation.non_compliant())
    assert all(str(row) for report in REPORTS for row in report.objects.using(odd_company))


def test_an_empty_database_has_empty_reports(migrated: str) -> None:
    for report in REPORTS:
        for concurrently in (False, True):
            report.refresh(concurrently, using=migrated)
        assert not report.objects.using(migrated).exists()
