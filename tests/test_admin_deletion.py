"""Deleting in the admin marks rows and nothing else; restoring takes the mark off, as far as the rules allow."""

from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.db import models
from django.test import Client

from pam.admin import duties
from pam.models import PrivilegedUser, RoleAssignment, Session
from tests.support.admin import sign_in, told, url
from tests.support.rows import make

pytestmark = [pytest.mark.django_db, pytest.mark.once]


@pytest.fixture
def browser() -> Client:
    return sign_in()


def act(browser: Client, action: str, *rows: models.Model, deleted: str = "") -> Any:
    """Select rows of the list and run an action on them."""
    address = url(type(rows[0]), "changelist") + (f"?deleted={deleted}" if deleted else "")
    data = {"action": action, "_selected_action": [str(row.pk) for row in rows], "index": "0"}
    return browser.post(address, {**data, "post": "yes"} if action == "delete_selected" else data, follow=True)


def listed(browser: Client, model: type[models.Model], **parameters: str) -> set[Any]:
    return set(browser.get(url(model, "changelist"), parameters).context["cl"].result_list)


def test_deleting_a_row_marks_it_and_leaves_what_belongs_to_it(browser: Client) -> None:
    assignment = make(RoleAssignment)
    user = assignment.user
    assert user is not None
    session = make(Session, user=user)
    page = browser.get(url(PrivilegedUser, "delete", user)).content.decode()
    assert str(user) in page
    assert str(assignment) not in page

    response = browser.post(url(PrivilegedUser, "delete", user), {"post": "yes"})

    assert response.status_code == 302
    user.refresh_from_db()
    assert user.is_deleted
    assert user.deleted_at is not None
    assert Session.objects.get() == session
    assert RoleAssignment.objects.get() == assignment
    assert LogEntry.objects.get(object_id=str(user.pk)).action_flag == DELETION


def test_deleting_several_marks_them(browser: Client) -> None:
    rows = [make(PrivilegedUser), make(PrivilegedUser)]
    kept = make(PrivilegedUser)

    act(browser, "delete_selected", *rows)

    assert set(PrivilegedUser.all_objects.deleted()) == set(rows)
    assert set(PrivilegedUser.objects.all()) == {kept}


def test_the_list_hides_deleted_rows_until_asked(browser: Client) -> None:
    alive, deleted = make(PrivilegedUser), make(PrivilegedUser)
    deleted.soft_delete()

    assert listed(browser, PrivilegedUser) == {alive}
    assert listed(browser, PrivilegedUser, deleted="yes") == {deleted}
    assert listed(browser, PrivilegedUser, deleted="all") == {alive, deleted}
    assert listed(browser, PrivilegedUser, deleted="all", q=deleted.upn) == {deleted}


def test_a_deleted_row_can_be_looked_at_but_not_deleted_again(browser: Client) -> None:
    user = make(PrivilegedUser)
    user.soft_delete()

    page = browser.get(url(PrivilegedUser, "change", user))

    assert page.status_code == 200
    assert "deletelink" not in page.content.decode()
    assert browser.post(url(PrivilegedUser, "delete", user), {"post": "yes"}).status_code == 403


def test_a_deleted_row_is_restored(browser: Client) -> None:
    user, alive = make(PrivilegedUser), make(PrivilegedUser)
    user.soft_delete()

    response = act(browser, "restore", user, alive, deleted="all")

    assert told(response) == ["Restored: 1."]
    user.refresh_from_db()
    assert not user.is_deleted
    assert LogEntry.objects.get().get_change_message() == "Restored."
    assert LogEntry.objects.get().action_flag == CHANGE


def test_a_row_that_may_not_come_back_is_a_message(browser: Client) -> None:
    old = make(RoleAssignment)
    other = make(RoleAssignment)
    old.soft_delete()
    other.soft_delete()
    make(RoleAssignment, directory_role=old.directory_role, user=old.user)

    response = act(browser, "restore", old, other, deleted="yes")

    assert "uq_role_assignments_active_user" in " ".join(told(response))
    assert RoleAssignment.all_objects.deleted().count() == 2
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("action", ["delete_selected", "restore"])
def test_a_whole_table_is_not_taken(browser: Client, monkeypatch: pytest.MonkeyPatch, action: str) -> None:
    monkeypatch.setattr(duties, "MOST", 3)
    rows = [make(PrivilegedUser) for _ in range(4)]
    if action == "restore":
        PrivilegedUser.objects.soft_delete()
    (message,) = told(act(browser, action, *rows, deleted="all"))
    assert message == "Nothing was done: more than 3 rows are selected. Narrow the list by a filter."
    assert PrivilegedUser.objects.count() == (0 if action == "restore" else 4)
    act(browser, action, *rows[:3], deleted="all")
    assert PrivilegedUser.objects.count() == (3 if action == "restore" else 1)
