"""The vocabulary of the tables. Each question is asked at CLOCK, of rows on both sides of its edge."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.db import models

from pam.models import (
    AuditLog,
    Credential,
    CredentialRotation,
    DirectoryRole,
    PrivilegedUser,
    RoleAssignment,
    ServiceIdentity,
    Session,
)
from tests.support.rows import CLOCK, TABLES, make

pytestmark = pytest.mark.django_db

TICK = timedelta(microseconds=1)
WEEK = timedelta(days=7)
LONG_AGO = CLOCK - timedelta(days=400)
DELETED = {"is_deleted": True, "deleted_at": CLOCK}

# Everything but the audit log and the link table can be deleted softly.
SOFT = [model for model in TABLES if hasattr(model, "all_objects")]


def kept(rows: models.QuerySet[Any], candidates: Mapping[str, models.Model]) -> set[str]:
    """The names of the candidates that the queryset lets through."""
    found = set(rows)
    return {name for name, row in candidates.items() if row in found}


@pytest.mark.parametrize("model", SOFT)
def test_deleted_rows_are_out_of_sight_unless_asked_for(model: Any) -> None:
    there, gone = make(model), make(model, **DELETED)

    assert set(model.objects.filter(pk__in=[there.pk, gone.pk])) == {there}
    assert set(model.all_objects.filter(pk__in=[there.pk, gone.pk])) == {there, gone}
    assert set(model.all_objects.deleted()) == {gone}
    assert gone not in model.all_objects.alive()


@pytest.mark.parametrize("model", [ServiceIdentity, RoleAssignment, Credential])
def test_expiring_within_and_expired_meet_at_now(model: Any) -> None:
    def ends(time: Any, **values: Any) -> Any:
        return make(model, created_at=LONG_AGO, expires_at=time, **begun, **values)

    begun = {"assigned_at": LONG_AGO} if model is RoleAssignment else {}
    idle = {"status": "revoked"} if model is Credential else {"is_active": False}
    rows = {
        "a tick ago": ends(CLOCK - TICK),
        "now": ends(CLOCK),
        "last tick of the week": ends(CLOCK + WEEK - TICK),
        "after the week": ends(CLOCK + WEEK),
        "never": ends(None),
        "idle": ends(CLOCK + TICK, **idle),
        "deleted": ends(CLOCK + TICK, **DELETED),
    }

    assert kept(model.objects.expiring_within(WEEK, now=CLOCK), rows) == {"now", "last tick of the week"}
    assert kept(model.objects.expired(now=CLOCK), rows) == {"a tick ago"}
    assert kept(model.all_objects.expiring_within(WEEK, now=CLOCK), rows) == {"now", "last tick of the week"}


@pytest.mark.parametrize(
    ("model", "flag", "idle"),
    [
        (PrivilegedUser, "certification_required", {"is_active": False}),
        (RoleAssignment, "requires_certification", {"is_active": False}),
    ],
)
def test_due_for_certification(model: Any, flag: str, idle: dict[str, Any]) -> None:
    rows = {
        "due": make(model, **{flag: True}, next_certification_date=CLOCK),
        "later": make(model, **{flag: True}, next_certification_date=CLOCK + TICK),
        "not required": make(model, next_certification_date=CLOCK),
        "idle": make(model, **{flag: True}, next_certification_date=CLOCK, **idle),
        "deleted": make(model, **{flag: True}, next_certification_date=CLOCK, **DELETED),
    }

    assert kept(model.all_objects.due_for_certification(now=CLOCK), rows) == {"due"}


def test_identities_due_for_rotation() -> None:
    rows = {
        "due": make(ServiceIdentity, next_rotation_date=CLOCK),
        "later": make(ServiceIdentity, next_rotation_date=CLOCK + TICK),
        "never": make(ServiceIdentity),
        "idle": make(ServiceIdentity, next_rotation_date=CLOCK, is_active=False),
    }

    assert kept(ServiceIdentity.objects.due_for_rotation(now=CLOCK), rows) == {"due"}


def test_credentials_due_for_rotation() -> None:
    rows = {
        "due": make(Credential, next_rotation_date=CLOCK),
        "later": make(Credential, next_rotation_date=CLOCK + TICK),
        "by hand": make(Credential, next_rotation_date=CLOCK, auto_rotation_enabled=False),
        "revoked": make(Credential, next_rotation_date=CLOCK, status="revoked"),
    }

    assert kept(Credential.objects.due_for_rotation(now=CLOCK), rows) == {"due"}


def test_rotations_by_what_is_left_to_do() -> None:
    failed = {"status": "failed", "next_retry_at": CLOCK}
    rows = {
        "scheduled": make(CredentialRotation),
        "running": make(CredentialRotation, status="in_progress"),
        "done": make(CredentialRotation, status="completed", completed_at=CLOCK),
        "retry now": make(CredentialRotation, **failed),
        "retry later": make(CredentialRotation, status="failed", next_retry_at=CLOCK + TICK),
        "no retry left": make(CredentialRotation, **failed, retry_count=3),
        "given up": make(CredentialRotation, status="failed"),
        "deleted": make(CredentialRotation, **failed, **DELETED),
    }

    assert kept(CredentialRotation.objects.open(), rows) == {"scheduled", "running"}
    assert kept(CredentialRotation.objects.failed(), rows) == {
        "retry now",
        "retry later",
        "no retry left",
        "given up",
    }
    assert kept(CredentialRotation.all_objects.due_for_retry(now=CLOCK), rows) == {"retry now"}


def test_emergency_assignments_stay_visible_when_they_have_ended() -> None:
    emergency = {"is_emergency": True, "emergency_justification": "Tenant is down", "expires_at": CLOCK + WEEK}
    rows = {
        "running": make(RoleAssignment, **emergency),
        "ended": make(RoleAssignment, **emergency, is_active=False),
        "ordinary": make(RoleAssignment),
    }

    assert kept(RoleAssignment.objects.emergency(), rows) == {"running", "ended"}
    assert kept(RoleAssignment.objects.active(), rows) == {"running", "ordinary"}


def test_sessions_that_should_be_over() -> None:
    def sign_in(**values: Any) -> Session:
        return make(Session, **{"created_at": LONG_AGO, "expires_at": CLOCK + WEEK, **values})

    rows = {
        "busy": sign_in(last_activity=CLOCK),
        "quiet for an hour": sign_in(last_activity=CLOCK - timedelta(hours=1)),
        "quiet for longer": sign_in(last_activity=CLOCK - timedelta(hours=1) - TICK),
        "expired": sign_in(last_activity=CLOCK, expires_at=CLOCK - TICK),
        "over": sign_in(last_activity=LONG_AGO, expires_at=CLOCK - TICK, is_active=False, terminated_at=CLOCK),
    }

    assert kept(Session.objects.stale(timedelta(hours=1), now=CLOCK), rows) == {"quiet for longer"}
    assert kept(Session.objects.expired(now=CLOCK), rows) == {"expired"}
    assert "over" not in kept(Session.objects.active(), rows)


def test_without_a_clock_the_question_is_about_now() -> None:
    due = make(ServiceIdentity, created_at=LONG_AGO, next_rotation_date=LONG_AGO)
    make(ServiceIdentity, created_at=LONG_AGO, next_rotation_date=CLOCK.replace(year=9000))

    assert set(ServiceIdentity.objects.due_for_rotation()) == {due}


def test_users_and_roles_that_are_in_use() -> None:
    user, role = make(PrivilegedUser), make(DirectoryRole)
    make(PrivilegedUser, is_active=False)
    make(DirectoryRole, is_enabled=False)
    make(PrivilegedUser, **DELETED)

    assert set(PrivilegedUser.all_objects.active()) == {user}
    assert set(DirectoryRole.all_objects.enabled()) == {role}


def test_events_that_count_for_a_framework() -> None:
    sox = make(AuditLog, compliance_frameworks=["GDPR", "SOX"])
    make(AuditLog, compliance_frameworks=["SOX2"])
    make(AuditLog)

    assert set(AuditLog.objects.compliance("SOX")) == {sox}


def test_soft_delete_and_restore_of_many() -> None:
    users = [make(PrivilegedUser), make(PrivilegedUser)]
    before = make(PrivilegedUser, is_deleted=True, deleted_at=LONG_AGO)

    assert PrivilegedUser.all_objects.soft_delete(now=CLOCK) == 2

    assert list(PrivilegedUser.objects.all()) == []
    deleted = dict(PrivilegedUser.all_objects.values_list("pk", "deleted_at"))
    assert deleted == {users[0].pk: CLOCK, users[1].pk: CLOCK, before.pk: LONG_AGO}
    assert PrivilegedUser.objects.restore() == 0
    assert PrivilegedUser.all_objects.restore() == 3
    assert {user.version for user in PrivilegedUser.objects.all()} == {2, 3}
