"""Ordinary edits leave their event in the transaction of the edit, those of accounts and groups too."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test import Client

from pam.models import AuditLog, DirectoryRole, PrivilegedUser, RoleAssignment, ServiceIdentity, Session
from tests.support.admin import errors, open_form, sign_in, told, url
from tests.support.rows import make

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"  # noqa: S105 (of a user that lives for one test)


@pytest.fixture
def browser() -> Client:
    return sign_in()


def edit(browser: Client, row: Any, **values: Any) -> Any:
    address = url(type(row), "change", row)
    return browser.post(address, {**open_form(browser, address), **values}, follow=True)


def act(browser: Client, action: str, *rows: Any, **more: str) -> Any:
    data = {"action": action, "_selected_action": [str(row.pk) for row in rows], "post": "yes", **more}
    return browser.post(url(type(rows[0]), "changelist") + "?deleted=all", data, follow=True)


def the_event(action: str) -> AuditLog:
    return AuditLog.objects.get(action=action)


def test_a_change_is_told_with_what_it_was_before(browser: Client) -> None:
    row = make(PrivilegedUser, department="Finance", job_title="Clerk")

    edit(browser, row, department="Audit", job_title="")

    event = the_event("user.changed")
    assert event.previous_values == {"department": "Finance", "job_title": "Clerk"}
    assert event.new_values == {"department": "Audit", "job_title": None}
    assert (event.actor_upn, event.source_ip, event.target_user_id) == ("operator", "127.0.0.1", row.pk)
    assert event.description == f"User changed: {row}"
    assert LogEntry.objects.get().object_id == str(row.pk)


def test_an_addition_is_told_with_what_was_stated(browser: Client) -> None:
    address = url(ServiceIdentity, "add")
    assert (
        errors(
            browser.post(address, {**open_form(browser, address), "name": "backup", "identity_type": "service_account"})
        )
        == ""
    )
    event = the_event("identity.added")
    assert event.previous_values is None
    assert event.new_values is not None
    assert (event.new_values["name"], event.new_values["created_by"]) == ("backup", "operator")
    assert event.target_service_identity_id == ServiceIdentity.objects.get().pk


def test_a_new_holder_is_told_by_id_and_name(browser: Client) -> None:
    row, other = make(RoleAssignment), make(PrivilegedUser)
    before = row.user_id
    edit(browser, row, user=str(other.pk))
    event = the_event("assignment.changed")
    assert (event.previous_values, event.new_values) == ({"user_id": str(before)}, {"user_id": str(other.pk)})
    assert event.target_user_id == other.pk
    assert str(other) in event.description


def test_deletion_and_restoration_of_many(browser: Client) -> None:
    rows = [make(RoleAssignment), make(RoleAssignment)]
    gone = make(RoleAssignment)
    gone.soft_delete()

    act(browser, "delete_selected", *rows, gone)

    deleted = AuditLog.objects.filter(action="assignment.deleted")
    assert {event.target_resource_id for event in deleted} == {str(row.pk) for row in rows}, "not the one that was"
    assert {str(event.new_values) for event in deleted} == {"{'is_deleted': True}"}
    act(browser, "restore", *rows)
    restored = AuditLog.objects.filter(action="assignment.restored")
    assert {event.target_resource_id for event in restored} == {str(row.pk) for row in rows}
    browser.post(url(RoleAssignment, "delete", rows[0]), {"post": "yes"})
    assert AuditLog.objects.filter(action="assignment.deleted").count() == 3


def test_a_digest_is_never_written_down(browser: Client) -> None:
    row = make(Session)
    edit(browser, row, risk_score="77")
    browser.post(url(Session, "delete", row), {"post": "yes"})
    for event in AuditLog.objects.all():
        assert row.session_token_hash not in f"{event.previous_values}{event.new_values}{event.description}"
    assert the_event("session.changed").new_values == {"risk_score": 77}


def test_what_cannot_be_written_down_is_not_saved(browser: Client) -> None:
    user, deleted, role = make(PrivilegedUser), make(PrivilegedUser), make(DirectoryRole)
    deleted.soft_delete()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_logs ADD CONSTRAINT no_trail CHECK (action = '') NOT VALID")
    address = url(ServiceIdentity, "add")
    new = {**open_form(browser, address), "name": "backup", "identity_type": "service_account"}
    for response in (
        edit(browser, user, department="Audit"),
        browser.post(address, new, follow=True),
        browser.post(url(PrivilegedUser, "delete", user), {"post": "yes"}, follow=True),
        act(browser, "delete_selected", user, deleted),
        act(browser, "restore", user, deleted),
        edit(browser, role, role_name="Other"),
    ):
        assert response.status_code == 200
        (message,) = told(response)
        assert message.startswith("The database refused this, and nothing was changed:")
        assert "127.0.0.1" not in message, "the event that was refused is not shown"

    for row in (user, deleted, role):
        before = row.version, row.is_deleted
        row.refresh_from_db()
        assert (row.version, row.is_deleted) == before
    assert not ServiceIdentity.objects.exists()
    assert not LogEntry.objects.exists()
    assert not AuditLog.objects.exists()


def told_of(values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != "date_joined"}


def test_who_gets_which_permission_is_told(browser: Client) -> None:
    clerk = User.objects.create(username="clerk", is_staff=True)
    group = Group.objects.create(name="night shift")
    permission = Permission.objects.get(codename="terminate_session")

    edit(browser, group, permissions=[str(permission.pk)])
    edit(browser, clerk, groups=[str(group.pk)], is_superuser="on")

    event = the_event("group.changed")
    assert (event.previous_values, event.new_values) == ({"permissions": []}, {"permissions": [str(permission)]})
    event = the_event("account.changed")
    # Django's form cuts the microseconds off the time that somebody joined, which is told too.
    assert told_of(event.previous_values) == {"groups": [], "is_superuser": False}
    assert told_of(event.new_values) == {"groups": ["night shift"], "is_superuser": True}
    assert (event.event_type, event.severity, event.target_resource_name) == ("authorization", "warning", "clerk")


def test_of_a_group_that_is_deleted_it_is_told_who_was_in_it(browser: Client) -> None:
    groups = [Group.objects.create(name=name) for name in ("day", "night")]
    User.objects.create(username="clerk").groups.set(groups)
    browser.post(url(Group, "delete", groups[0]), {"post": "yes"})
    sent = {"action": "delete_selected", "_selected_action": str(groups[1].pk), "post": "yes"}
    browser.post(url(Group, "changelist"), sent)
    for event, name in zip(AuditLog.objects.order_by("timestamp", "pk"), ("day", "night"), strict=True):
        assert event.action == "group.deleted"
        assert told_of(event.previous_values).items() >= {"name": name, "members": ["clerk"]}.items()
    assert not Group.objects.exists()


def test_of_a_password_only_the_change_is_told(browser: Client) -> None:
    clerk = User.objects.create(username="clerk")
    digests = {clerk.password}
    address = url(User, "change", clerk).replace("/change/", "/password/")
    sent = {"password1": PASSWORD, "password2": PASSWORD, "usable_password": "true", "set-password": "1"}
    assert browser.post(address, sent).status_code == 302
    clerk.refresh_from_db()
    assert clerk.check_password(PASSWORD)
    digests.add(clerk.password)

    event = the_event("account.changed")
    assert (event.previous_values, event.new_values) == ({"password": "(not shown)"}, {"password": "(not shown)"})
    added = browser.post(url(User, "add"), {"username": "night", **sent})
    assert added.status_code == 302
    digests.add(User.objects.get(username="night").password)
    browser.post(url(User, "delete", clerk), {"post": "yes"})
    assert told_of(the_event("account.deleted").previous_values)["username"] == "clerk"
    written = " ".join(f"{event.previous_values}{event.new_values}" for event in AuditLog.objects.all())
    assert not [digest for digest in digests if digest and digest in written]


def test_a_password_that_cannot_be_written_down_is_the_old_one(browser: Client) -> None:
    clerk = User.objects.create(username="clerk")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_logs ADD CONSTRAINT no_trail CHECK (action = '') NOT VALID")
    address = url(User, "change", clerk).replace("/change/", "/password/")
    sent = {"password1": PASSWORD, "password2": PASSWORD, "usable_password": "true", "set-password": "1"}
    response = browser.post(address, sent, follow=True)
    assert "nothing was changed" in " ".join(told(response))
    assert not User.objects.get(pk=clerk.pk).check_password(PASSWORD)


def test_nobody_gets_a_name_that_the_trail_could_not_tell_from_anothers(browser: Client) -> None:
    User.objects.create(username="ann@example.com")
    clerk = User.objects.create(username="clerk")
    refused = edit(browser, clerk, username="ANN@example.com")
    assert "has this name already" in errors(refused)
    sent = {"password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
    assert browser.post(url(User, "add"), {"username": "Ann@Example.com", **sent}).status_code == 200
    assert User.objects.filter(username__iexact="ann@example.com").count() == 1
    edit(browser, clerk, username="CLERK")
    assert told_of(the_event("account.changed").new_values) == {"username": "CLERK"}


def test_permissions_of_a_large_group_are_named_in_few_queries(
    browser: Client, django_assert_max_num_queries: Any
) -> None:
    group = Group.objects.create(name="all")
    group.permissions.set(Permission.objects.all())
    address = url(Group, "change", group)
    form = {**open_form(browser, address), "name": "most", "permissions": [p.pk for p in Permission.objects.all()[:50]]}
    with django_assert_max_num_queries(25):
        assert browser.post(address, form).status_code == 302
    assert len(told_of(the_event("group.changed").new_values)["permissions"]) == 50
