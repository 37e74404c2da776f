"""Each duty: what it does to the rows, what it writes down, and what it refuses, never half."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection
from django.test.utils import CaptureQueriesContext

from pam.duties import assignments, identities, rotations, sessions, users
from pam.duties.work import Mandate
from pam.errors import DutyRefusedError, ReasonMissingError
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
from tests.support.duties import NOW, ORIGIN, events, mandate, seen, stored
from tests.support.rows import CLOCK, build, make

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(days=400)


def emergency(**values: Any) -> RoleAssignment:
    return make(
        RoleAssignment,
        is_emergency=True,
        emergency_justification="Outage",
        expires_at=NOW + timedelta(hours=4),
        **values,
    )


def to_approve(**values: Any) -> RoleAssignment:
    return make(RoleAssignment, approval_required=True, **values)


def suspended(**values: Any) -> ServiceIdentity:
    return make(ServiceIdentity, status="suspended", is_active=False, account_enabled=False, **values)


def failed(**values: Any) -> CredentialRotation:
    times = {"started_at": CLOCK, "completed_at": CLOCK, "next_retry_at": NOW}
    return make(CredentialRotation, status="failed", error_message="No answer", retry_count=1, **times, **values)


ENDED = {"is_active": False, "revoked_at": NOW, "revoked_by": ORIGIN.upn, "sync_status": "pending"}
ON = {"is_active": True, "account_enabled": True}
OFF = {"is_active": False, "account_enabled": False}

DONE: dict[str, tuple[Callable[..., int], Callable[[], Any], dict[str, Any]]] = {
    "assignment.revoked": (assignments.revoke, lambda: make(RoleAssignment, sync_status="synced"), ENDED),
    "assignment.emergency_ended": (assignments.end_emergency, lambda: emergency(sync_status="synced"), ENDED),
    "assignment.certified": (
        assignments.certify,
        lambda: make(RoleAssignment),
        {"last_certified": NOW, "certified_by": ORIGIN.upn, "next_certification_date": NOW + timedelta(days=90)},
    ),
    "assignment.approved": (assignments.approve, to_approve, {"approved_by": ORIGIN.upn, "approved_at": NOW}),
    "identity.suspended": (identities.suspend, lambda: make(ServiceIdentity), {"status": "suspended", **OFF}),
    "identity.reactivated": (identities.reactivate, suspended, {"status": "active", **ON}),
    "user.disabled": (users.disable, lambda: make(PrivilegedUser), OFF),
    "user.enabled": (users.enable, lambda: make(PrivilegedUser, **OFF), ON),
    "rotation.retried": (
        rotations.retry,
        failed,
        {
            "status": "scheduled",
            "scheduled_date": NOW,
            "started_at": None,
            "completed_at": None,
            "error_message": None,
            "next_retry_at": None,
            "retry_count": 2,
        },
    ),
    "session.terminated": (
        sessions.terminate,
        lambda: make(Session),
        {"is_active": False, "terminated_at": NOW, "termination_reason": "admin"},
    ),
}


@pytest.mark.parametrize("action", DONE)
def test_done_and_written_down(action: str) -> None:
    duty, making, expected = DONE[action]
    rows = sorted((making(), making()), key=lambda row: row.pk)
    kept = making()
    as_it_was = stored(kept)
    before = [stored(row) for row in rows]

    assert duty(seen(*rows), mandate()) == 2

    for row, old, event in zip(rows, before, events(), strict=True):
        new = stored(row)
        assert new == {**old, **expected, "version": 2, "updated_at": NOW, "updated_by": ORIGIN.upn, **duration(new)}
        assert (event.action, event.timestamp, event.details) == (action, NOW, "Ticket 4711: left the company")
        assert (event.actor_upn, event.source_ip, event.request_id) == (ORIGIN.upn, "192.0.2.9", "r7")
        assert event.target_resource_id == str(row.pk)
        assert str(type(row)._base_manager.get(pk=row.pk)).split(",")[0] in event.description
        changed = {name for name, value in expected.items() if old[name] != value}
        assert event.new_values == as_json({name: expected[name] for name in changed})
        assert event.previous_values == as_json({name: old[name] for name in changed})
    assert stored(kept) == as_it_was


def as_json(values: dict[str, Any]) -> Any:
    return json.loads(json.dumps(values, cls=DjangoJSONEncoder))


def duration(new: dict[str, Any]) -> dict[str, Any]:
    """What the database counts by itself."""
    return {"duration": new["duration"]} if "duration" in new else {}


def test_a_rotation_is_requested_for_each_credential() -> None:
    rows = [make(Credential), make(Credential, status="expired")]

    assert rotations.request(seen(*rows), mandate()) == 2

    made = CredentialRotation.objects.order_by("pk")
    assert {rotation.credential_id for rotation in made} == {row.pk for row in rows}
    for rotation in made:
        assert (rotation.status, rotation.rotation_type, rotation.scheduled_date) == ("scheduled", "manual", NOW)
        assert (rotation.triggered_by, rotation.created_by, rotation.created_at) == (ORIGIN.upn, ORIGIN.upn, NOW)
        assert rotation.reason == "Ticket 4711: left the company"
    assert {event.target_resource_id for event in events()} == {str(rotation.pk) for rotation in made}
    assert {event.action for event in events()} == {"rotation.requested"}


def test_all_sessions_of_users_are_terminated_whatever_changed_about_them() -> None:
    bob, eve, other = make(PrivilegedUser), make(PrivilegedUser), make(Session)
    mine = [make(Session, user=bob), make(Session, user=bob), make(Session, user=eve)]
    ended = make(Session, user=bob, is_active=False, terminated_at=CLOCK)
    looked_at = seen(bob, eve)
    PrivilegedUser.objects.update(last_sign_in=NOW)
    eve.refresh_from_db()
    eve.soft_delete()

    assert sessions.terminate_of_users(looked_at, mandate()) == 3

    assert {event.target_resource_id for event in events()} == {str(row.pk) for row in mine}
    assert {event.target_user_id for event in events()} == {bob.pk, eve.pk}
    assert stored(other)["is_active"]
    assert stored(ended)["terminated_at"] == CLOCK
    assert sessions.terminate_of_users(seen(bob), mandate()) == 0


def test_a_session_of_a_clock_that_is_ahead_ends_when_it_began() -> None:
    ahead = make(Session, created_at=NOW + timedelta(seconds=1), expires_at=LATER)
    sessions.terminate(seen(ahead), mandate())
    assert stored(ahead)["terminated_at"] == ahead.created_at


def test_a_role_says_for_how_long_a_certification_holds() -> None:
    yearly = make(RoleAssignment, directory_role=make(DirectoryRole, certification_frequency_days=365))
    quarterly = make(RoleAssignment)
    assignments.certify(seen(yearly, quarterly), mandate())
    assert stored(yearly)["next_certification_date"] == NOW + timedelta(days=365)
    assert stored(quarterly)["next_certification_date"] == NOW + timedelta(days=90)


def of(upn: str, **values: Any) -> RoleAssignment:
    return make(RoleAssignment, user=make(PrivilegedUser, upn=upn), **values)


REFUSED: list[tuple[Callable[..., int], Callable[[], Any], str]] = [
    (assignments.revoke, lambda: make(RoleAssignment, **{**ENDED, "revoked_by": "eve"}), "eve has revoked it already"),
    (assignments.revoke, lambda: make(RoleAssignment, is_active=False), "it has ended already"),
    (assignments.revoke, lambda: make(RoleAssignment, assigned_at=LATER), "it only begins at 2027-04-24 16:23 UTC"),
    (assignments.end_emergency, lambda: make(RoleAssignment), "it is no emergency assignment"),
    (assignments.end_emergency, lambda: emergency(is_active=False), "it has ended already"),
    (assignments.certify, lambda: make(RoleAssignment, is_active=False), "it has ended"),
    (assignments.certify, lambda: of(ORIGIN.upn), "nobody certifies what he holds himself"),
    (assignments.approve, lambda: make(RoleAssignment), "it needs no approval"),
    (assignments.approve, lambda: to_approve(is_active=False), "it has ended"),
    (assignments.approve, lambda: to_approve(approved_by="eve", approved_at=CLOCK), "eve has approved it already"),
    (
        assignments.approve,
        lambda: to_approve(assigned_by="Olga@contoso.example"),
        "nobody approves what he holds or has",
    ),
    (
        assignments.approve,
        lambda: to_approve(user=make(PrivilegedUser, source_user_upn=ORIGIN.upn)),
        "nobody approves what he holds or has",
    ),
    (identities.suspend, suspended, "it is suspended"),
    (identities.suspend, lambda: make(ServiceIdentity, status="pending_deletion"), "it is pending deletion"),
    (identities.reactivate, lambda: make(ServiceIdentity), "it is active"),
    (identities.reactivate, lambda: suspended(expires_at=NOW), "it expired at 2026-03-20 16:23 UTC"),
    (users.disable, lambda: make(PrivilegedUser, **OFF), "it is disabled already"),
    (users.enable, lambda: make(PrivilegedUser), "it is enabled already"),
    (rotations.request, lambda: make(CredentialRotation).credential, "it has an open rotation already"),
    (rotations.request, lambda: make(Credential, status="revoked"), "it is revoked"),
    (rotations.retry, lambda: make(CredentialRotation), "it is scheduled"),
    (rotations.retry, lambda: failed(max_retries=1), "all of its 1 retries are used"),
    (rotations.retry, lambda: failed(credential=make(CredentialRotation).credential), "its credential has an open"),
    (
        rotations.retry,
        lambda: failed(credential=failed().credential),
        "another of these is of the same credential",
    ),
    (rotations.retry, lambda: failed(credential=deleted(make(Credential))), "its credential is deleted"),
    (
        sessions.terminate,
        lambda: make(Session, is_active=False, terminated_at=CLOCK),
        "it ended already, at 2026-03-17 14:23 UTC",
    ),
]
POSSIBLE = {duty: making for duty, making, _ in DONE.values()} | {rotations.request: lambda: make(Credential)}


def deleted(row: Any) -> Any:
    row.soft_delete()
    return row


def everything() -> Any:
    """All rows that a duty could change, to see that none was."""
    tables = (RoleAssignment, ServiceIdentity, PrivilegedUser, Credential, CredentialRotation, Session, AuditLog)
    return [list(table._base_manager.order_by("pk").values()) for table in tables]


@pytest.mark.parametrize(("duty", "making", "why"), REFUSED, ids=lambda value: value if isinstance(value, str) else "")
def test_one_of_three_that_cannot_be_done_stops_all(
    duty: Callable[..., int], making: Callable[[], Any], why: str
) -> None:
    impossible, possible = making(), [POSSIBLE[duty](), POSSIBLE[duty]()]
    rows = [possible[0], impossible, possible[1]]
    if "same credential" in why:
        rows.append(CredentialRotation.objects.exclude(pk=impossible.pk).get(credential=impossible.credential))
    before = everything()

    with pytest.raises(DutyRefusedError) as refused:
        duty(seen(*rows), mandate())

    named = {problem.row for problem in refused.value.problems}
    assert str(impossible) in named
    assert not named & {str(row) for row in possible}
    assert all(problem.why.startswith(why) for problem in refused.value.problems)
    assert "nothing was done" in str(refused.value)
    assert everything() == before


@pytest.mark.parametrize("duty", POSSIBLE, ids=lambda duty: f"{duty.__module__.rsplit('.')[-1]}.{duty.__name__}")
def test_deleted_changed_and_gone_are_each_named(duty: Callable[..., int]) -> None:
    making = POSSIBLE[duty]
    fine, gone, changed, marked = (making() for _ in range(4))
    looked_at = seen(fine, gone, changed)
    looked_at |= seen(deleted(marked))
    type(changed)._base_manager.filter(pk=changed.pk).get().save()
    gone.delete()
    before = everything()

    with pytest.raises(DutyRefusedError) as refused:
        duty(looked_at, mandate())

    assert {problem.why for problem in refused.value.problems} == {
        "it is gone",
        "somebody else changed it since it was looked at",
        "it is deleted",
    }
    assert everything() == before


def test_a_user_who_is_gone_stops_the_end_of_the_others_sessions() -> None:
    bob, gone = make(PrivilegedUser), build(PrivilegedUser)
    gone.save()
    looked_at = seen(bob, gone)
    open_session = make(Session, user=bob)
    gone.delete()
    with pytest.raises(DutyRefusedError, match="gone"):
        sessions.terminate_of_users(looked_at, mandate())
    assert stored(open_session)["is_active"]


def test_without_a_reason_there_is_no_mandate() -> None:
    with pytest.raises(ReasonMissingError, match="State the reason"):
        Mandate(ORIGIN, " \n", NOW, "default")


@pytest.mark.parametrize("duty", POSSIBLE, ids=lambda duty: f"{duty.__module__.rsplit('.')[-1]}.{duty.__name__}")
def test_hundreds_take_as_many_queries_as_one(duty: Callable[..., int]) -> None:
    def queries(count: int) -> int:
        rows = seen(*(POSSIBLE[duty]() for _ in range(count)))
        with CaptureQueriesContext(connection) as caught:
            assert duty(rows, mandate()) == count
        return len(caught)

    few = queries(1)
    assert queries(60) == few <= 10
