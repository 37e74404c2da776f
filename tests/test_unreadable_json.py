"""JSON that plain SQL wrote and Python cannot read: its row is shown, and edited elsewhere, and all else is done."""

from typing import Any

import pytest
from django.contrib import admin
from django.db import connection, models
from django.test import Client

from pam.models import AuditLog, CredentialRotation, DirectoryRole, PrivilegedUser, RoleAssignment
from tests.support.admin import errors, open_form, open_page, sign_in, told, url
from tests.support.rows import make

pytestmark = pytest.mark.django_db

LONG = f'{{"a": {"7" * 5_000}}}'
DEEP = "[" * 5_000 + "]" * 5_000


@pytest.fixture
def browser() -> Client:
    return sign_in()


def write(row: models.Model, column: str, text: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {row._meta.db_table} SET {column} = %s::jsonb WHERE id = %s", [text, row.pk])


def stored(row: models.Model, column: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column}::text FROM {row._meta.db_table} WHERE id = %s", [row.pk])
        (text,) = cursor.fetchone()
    return str(text)


@pytest.mark.parametrize("text", [LONG, DEEP], ids=["long", "deep"])
@pytest.mark.parametrize(
    ("model", "column", "edited"),
    [
        (PrivilegedUser, "metadata", "department"),
        (DirectoryRole, "graph_permissions_application", "category"),
        (CredentialRotation, "systems_updated", "reason"),
    ],
)
def test_the_rest_of_the_row_is_edited_and_that_value_stays(
    browser: Client, model: Any, column: str, edited: str, text: str
) -> None:
    row = make(model)
    write(row, column, text)
    address = url(model, "change", row)

    page = browser.get(address)
    form = open_page(page)
    assert column not in form
    assert told(page) == [f"Kept as it is, and to be changed by SQL only, for no page can read it: {column}."]
    assert errors(browser.post(address, {**form, edited: "Audit", column: "{}"})) == ""

    assert (getattr(model.objects.get(), edited), stored(row, column)) == ("Audit", text)
    event = AuditLog.objects.get()
    assert event.new_values == {edited: "Audit"}
    for other in ("delete", "history"):
        assert browser.get(url(model, other, row)).status_code == 200


def test_duties_deletion_and_whoever_refers_to_the_row(browser: Client) -> None:
    operator, user = make(PrivilegedUser, upn="operator"), make(PrivilegedUser)
    assignment = make(RoleAssignment, user=user)
    for row in (operator, user, assignment):
        write(row, "metadata", LONG)
    for action, rows in (("revoke", assignment), ("disable", user), ("delete_selected", user), ("restore", user)):
        chosen = {"action": action, "_selected_action": str(rows.pk), "index": "0"}
        address = url(type(rows), "changelist") + "?deleted=all"
        page = browser.post(address, chosen)
        if action in ("revoke", "disable"):
            page = browser.post(address, {**open_page(page), "reason": "Ticket 4711"})
        elif action == "delete_selected":
            page = browser.post(address, {**chosen, "post": "yes"})
        assert page.status_code == 302, action
    assert browser.get(url(RoleAssignment, "change", assignment)).status_code == 200
    events = list(AuditLog.objects.order_by("timestamp", "pk"))
    assert [event.action for event in events] == [
        "assignment.revoked",
        "user.disabled",
        "user.deleted",
        "user.restored",
    ]
    assert {event.actor_user_id for event in events} == {operator.pk}
    assert [stored(row, "metadata") for row in (operator, user, assignment)] == [LONG] * 3


def test_what_can_be_read_is_edited_as_ever(browser: Client) -> None:
    user = make(PrivilegedUser, metadata={"a": 1})
    address = url(PrivilegedUser, "change", user)
    form = open_form(browser, address)
    assert form["metadata"] == '{"a": 1}'
    assert errors(browser.post(address, {**form, "metadata": '{"a": [2]}'})) == ""
    assert stored(user, "metadata") == '{"a": [2]}'
    assert "metadata" not in admin.site.get_model_admin(PrivilegedUser).get_readonly_fields(object(), user)  # type: ignore[arg-type]
