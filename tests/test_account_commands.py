"""Django's commands for accounts leave their event like the admin, or do nothing."""

import getpass
import io
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection, connections

from pam.models import AuditLog

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"  # noqa: S105 (of a user that lives for one test)


@pytest.fixture(autouse=True)
def _typed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is typed where no echo is, and who types it."""
    monkeypatch.setattr(getpass, "getpass", lambda prompt="": PASSWORD)
    monkeypatch.setattr(getpass, "getuser", lambda: "dba7")
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)


def create(**options: Any) -> None:
    call_command("createsuperuser", interactive=False, username="ann", email="ann@example.com", verbosity=0, **options)


def change(**options: Any) -> None:
    call_command("changepassword", "ann", stdout=io.StringIO(), **options)


def write_no_more() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_logs ADD CONSTRAINT no_trail CHECK (action = '') NOT VALID")


def test_a_new_superuser_is_told_and_the_password_is_not() -> None:
    create()
    user, event = User.objects.get(), AuditLog.objects.get()
    assert user.check_password(PASSWORD)
    assert (event.action, event.event_type, event.severity) == ("account.added", "authorization", "warning")
    assert (event.actor_upn, event.actor_display_name) == ("manage.py", "createsuperuser, run by dba7")
    assert (event.target_resource_type, event.target_resource_id) == ("user", str(user.pk))
    assert event.previous_values is None
    assert event.new_values is not None
    assert event.new_values.items() >= {"username": "ann", "is_superuser": True, "password": "(not shown)"}.items()
    assert user.password not in str(list(AuditLog.objects.values()))


def test_a_new_password_is_told_and_not_shown() -> None:
    User.objects.create_user("ann", password="another horse")
    change()
    assert User.objects.get().check_password(PASSWORD)
    event = AuditLog.objects.get()
    assert (event.action, event.actor_upn) == ("account.changed", "manage.py")
    assert event.actor_display_name == "changepassword, run by dba7"
    assert (event.previous_values, event.new_values) == ({"password": "(not shown)"}, {"password": "(not shown)"})


def test_what_cannot_be_written_down_is_not_done() -> None:
    write_no_more()
    with pytest.raises(CommandError, match=r'Nothing was changed.* "no_trail"'):
        create()
    assert not User.objects.exists()
    User.objects.create_user("ann", password="another horse")
    with pytest.raises(CommandError, match=r'Nothing was changed.* "no_trail"'):
        change()
    assert User.objects.get().check_password("another horse")


def test_the_event_is_where_the_account_is_and_after_the_command_no_account_is_told_of(migrated: str) -> None:
    create(database=migrated)
    change(database=migrated)
    told = AuditLog.objects.using(migrated).order_by("timestamp", "pk").values_list("action", flat=True)
    assert list(told) == ["account.added", "account.changed"]
    assert not connections[migrated].in_atomic_block
    User.objects.using(migrated).create(username="bob")
    assert told.count() == 2
    assert not AuditLog.objects.exists()
