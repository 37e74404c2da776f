"""What is done is written down in the same transaction: who, from where, to whom, and what changed."""

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db import DataError, transaction
from django.test import RequestFactory

from pam.models import AuditLog, PrivilegedUser, RoleAssignment
from pam.models.audit import EventType, Result, Severity
from pam.trail import Origin, record
from tests.support.rows import build, make

ORIGIN = Origin("ann@example.com", "Ann", source_ip="2001:db8::1", user_agent="test", request_id="r1")


def test_what_is_written(migrated):
    ann, bob = (build(PrivilegedUser, upn=f"{name}@example.com") for name in ("ann", "bob"))
    for user in (ann, bob):
        user.save(using=migrated)
    written = record(
        ORIGIN,
        EventType.CONFIGURATION,
        "user.disabled",
        "Ann disabled Bob.",
        target=bob,
        previous={"is_active": True, "expires_at": datetime(2026, 11, 20, 13, 37, 11, tzinfo=UTC)},
        new={"is_active": False},
        severity=Severity.WARNING,
        using=migrated,
    )
    found = AuditLog.objects.using(migrated).get(pk=written.pk)
    assert (found.actor_user, found.actor_upn, found.source_ip) == (ann, "ann@example.com", "2001:db8::1")
    assert (found.target_user, found.target_resource_type, found.target_resource_id) == (
        bob,
        "privilegeduser",
        str(bob.pk),
    )
    assert found.previous_values == {"is_active": True, "expires_at": "2026-11-20T13:37:11Z"}
    assert found.new_values == {"is_active": False}
    assert (found.result, found.severity, found.request_id) == (Result.SUCCESS, Severity.WARNING, "r1")


def test_of_an_assignment_its_holder_is_named(db):
    held = make(RoleAssignment)
    written = record(ORIGIN, EventType.AUTHORIZATION, "assignment.revoked", "x", target=held)
    assert (written.target_user_id, written.actor_user_id) == (held.user_id, None)


def test_not_written_is_not_done(migrated):
    bob = build(PrivilegedUser, upn="bob@example.com")

    def do() -> None:
        with transaction.atomic(using=migrated):
            bob.save(using=migrated)
            record(ORIGIN, EventType.CONFIGURATION, "too long " * 20, "x", target=bob, using=migrated)

    with pytest.raises(DataError):
        do()
    assert not PrivilegedUser.objects.using(migrated).exists()


def test_the_origin_of_a_request():
    request = RequestFactory().post("/admin/x/", REMOTE_ADDR="192.0.2.7", headers={"User-Agent": "agent"})
    request.user = User(username="Ann@Example.com", first_name="Ann", last_name="Lee")
    origin = Origin.of(request)
    assert (origin.upn, origin.display_name, origin.source_ip) == ("ann@example.com", "Ann Lee", "192.0.2.7")
    assert (origin.user_agent, origin.http_method, origin.endpoint) == ("agent", "POST", "/admin/x/")
    assert Origin.of(request).request_id == origin.request_id, "what one request does has one id"
    request.user = AnonymousUser()
    assert Origin.of(request).upn == ""
