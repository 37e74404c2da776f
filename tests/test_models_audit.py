"""The audit log is written and read, never changed; what it refers to may go."""

import pytest
from django.db import ProgrammingError, connection, transaction

from pam.models import AuditLog, PrivilegedUser
from tests.support.rows import build, make

pytestmark = pytest.mark.django_db


def test_an_event_cannot_be_changed() -> None:
    event = make(AuditLog)
    event.result = "denied"

    with pytest.raises(ProgrammingError, match=r"audit_logs\w* is append-only: UPDATE"), transaction.atomic():
        event.save()
    with pytest.raises(ProgrammingError, match=r"audit_logs\w* is append-only: UPDATE"), transaction.atomic():
        AuditLog.objects.update(result="denied")
    with pytest.raises(ProgrammingError, match=r"audit_logs\w* is append-only: DELETE"), transaction.atomic():
        event.delete()
    with pytest.raises(ProgrammingError, match=r"audit_logs\w* is append-only: DELETE"), transaction.atomic():
        AuditLog.objects.all().delete()
    with (
        pytest.raises(ProgrammingError, match=r"audit_logs\w* is append-only: TRUNCATE"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("TRUNCATE audit_logs")

    assert AuditLog.objects.get().result == "success"


def test_events_are_written_one_by_one_and_many_at_once() -> None:
    make(AuditLog)
    AuditLog.objects.bulk_create([build(AuditLog), build(AuditLog)])

    assert AuditLog.objects.count() == 3


def test_a_new_event_costs_one_statement(django_assert_num_queries) -> None:
    event = build(AuditLog)

    with django_assert_num_queries(1):
        event.save()


def test_an_event_outlives_what_it_refers_to() -> None:
    user = make(PrivilegedUser)
    event = make(AuditLog, actor_user=user, target_user=user, actor_upn=user.upn)
    gone = user.pk

    user.delete()

    event.refresh_from_db()
    assert (event.actor_user_id, event.target_user_id, event.actor_upn) == (gone, gone, user.upn)


def test_an_event_says_what_happened() -> None:
    assert str(build(AuditLog)) == "2026-03-17 14:23:45 sign_in: success"
