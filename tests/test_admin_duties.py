"""Duties on the lists: the page that asks, the reason, the permission, and what a refusal looks like."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection, models
from django.test import Client
from django.test.utils import CaptureQueriesContext

from pam.admin import duties as admin_duties
from pam.models import (
    AuditLog,
    Credential,
    CredentialRotation,
    PrivilegedUser,
    RoleAssignment,
    ServiceIdentity,
    Session,
)
from tests.support.admin import open_page, sign_in, told, url
from tests.support.rows import CLOCK, build, make

pytestmark = pytest.mark.django_db

REASON = "Ticket 4711: left"


@pytest.fixture
def browser() -> Client:
    return sign_in()


def select(browser: Client, action: str, *rows: models.Model, **more: str) -> Any:
    """The page that asks, for these rows of a list."""
    data = {"action": action, "_selected_action": [str(row.pk) for row in rows], "index": "0", **more}
    return browser.post(url(type(rows[0]), "changelist"), data, follow=True)


def confirm(browser: Client, page: Any, **changed: str) -> Any:
    """Send the form of that page, with a reason."""
    return browser.post(page.request["PATH_INFO"], {**open_page(page), "reason": REASON, **changed}, follow=True)


def staff(*permissions: str) -> Client:
    """A browser in which somebody is signed in who has these permissions and no others."""
    user = User.objects.create(username="clerk@contoso.example", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


EVERY: list[tuple[str, str, Any, dict[str, Any]]] = [
    ("revoke", "revoke_roleassignment", lambda: make(RoleAssignment), {"is_active": False}),
    ("certify", "certify_roleassignment", lambda: make(RoleAssignment), {"certified_by": "clerk@contoso.example"}),
    (
        "approve",
        "approve_roleassignment",
        lambda: make(RoleAssignment, approval_required=True),
        {"approved_by": "clerk@contoso.example"},
    ),
    (
        "end_emergency",
        "end_emergency_roleassignment",
        lambda: make(
            RoleAssignment, is_emergency=True, emergency_justification="x", expires_at=CLOCK.replace(year=2030)
        ),
        {"revoked_by": "clerk@contoso.example"},
    ),
    ("suspend", "suspend_serviceidentity", lambda: make(ServiceIdentity), {"status": "suspended"}),
    (
        "reactivate",
        "reactivate_serviceidentity",
        lambda: make(ServiceIdentity, status="suspended"),
        {"status": "active"},
    ),
    ("disable", "disable_privilegeduser", lambda: make(PrivilegedUser), {"is_active": False}),
    ("enable", "enable_privilegeduser", lambda: make(PrivilegedUser, is_active=False), {"is_active": True}),
    ("request_rotation", "request_credentialrotation", lambda: make(Credential), {}),
    ("retry", "retry_credentialrotation", lambda: make(CredentialRotation, status="failed"), {"status": "scheduled"}),
    ("terminate", "terminate_session", lambda: make(Session), {"is_active": False}),
]


@pytest.mark.parametrize(("action", "permission", "making", "after"), EVERY, ids=[row[0] for row in EVERY])
def test_each_duty_needs_its_own_permission(action: str, permission: str, making: Any, after: dict[str, Any]) -> None:
    row = making()
    view = f"view_{type(row)._meta.model_name}"
    others = [codename for _, codename, _, _ in EVERY if codename != permission]
    without = staff(view, *others)
    assert f'value="{action}"' not in without.get(url(type(row), "changelist")).content.decode()
    page = select(without, action, row)
    assert page.template_name != "admin/pam_duty.html"
    assert not AuditLog.objects.exists()
    User.objects.all().delete()

    browser = staff(view, permission)
    assert f'value="{action}"' in browser.get(url(type(row), "changelist")).content.decode()
    page = select(browser, action, row)
    assert list(page.context["rows"]) == [row]
    response = confirm(browser, page)

    row.refresh_from_db()
    assert {name: getattr(row, name) for name in after} == after
    (message,) = told(response)
    assert message.endswith(": 1.")
    event = AuditLog.objects.get()
    assert (event.actor_upn, event.details, event.source_ip) == ("clerk@contoso.example", REASON, "127.0.0.1")
    assert event.http_method == "POST"
    assert event.request_id


def test_all_sessions_of_a_user_end_from_the_list_of_users() -> None:
    row = make(Session)
    make(Session, user=row.user)
    assert (
        "terminate_sessions" not in staff("view_privilegeduser").get(url(PrivilegedUser, "changelist")).content.decode()
    )
    User.objects.all().delete()
    browser = staff("view_privilegeduser", "terminate_session")

    response = confirm(browser, select(browser, "terminate_sessions", row.user))

    assert told(response) == ["Sessions terminated: 2."]
    assert not Session.objects.active().exists()


@pytest.mark.parametrize("reason", ["", "    ", "abc", "abcde\x00fgh", "x" * 1001])
def test_without_a_reason_nothing_happens(browser: Client, reason: str) -> None:
    row = make(RoleAssignment)
    page = select(browser, "revoke", row)

    again = confirm(browser, page, reason=reason)

    assert again.status_code == 200
    assert again.context["form"].errors["reason"]
    assert str(row) in again.content.decode()
    assert not AuditLog.objects.exists()
    assert told(confirm(browser, again)) == ["Role assignments revoked: 1."], "the page that asks again can be answered"


def test_a_row_that_somebody_changed_meanwhile_stops_all_and_is_named(browser: Client) -> None:
    rows = [make(RoleAssignment), make(RoleAssignment)]
    page = select(browser, "revoke", *rows)
    RoleAssignment.objects.get(pk=rows[1].pk).save()

    refused = confirm(browser, page)

    text = refused.content.decode()
    assert "Nothing was done: 1 of 2 role assignments cannot be." in text
    assert f"<li>{rows[1]}: somebody else changed it since it was looked at.</li>" in text
    assert "duty_form" not in text, "there is nothing to confirm on this page"
    assert RoleAssignment.objects.active().count() == 2
    assert not AuditLog.objects.exists()


def test_sent_twice_it_is_done_once(browser: Client) -> None:
    page = select(browser, "disable", make(PrivilegedUser))
    assert told(confirm(browser, page)) == ["Privileged users disabled: 1."]
    assert "it is disabled already" in confirm(browser, page).content.decode()
    assert AuditLog.objects.count() == 1


def test_nobody_sends_what_he_was_not_shown(browser: Client) -> None:
    mine, theirs = make(RoleAssignment), make(RoleAssignment)
    page, of_another_duty = select(browser, "revoke", mine), select(browser, "certify", theirs)
    of_somebody_else = select(staff("view_roleassignment", "revoke_roleassignment"), "revoke", theirs)
    for forged in ("", "x", "{}", open_page(of_another_duty)["seen"], open_page(of_somebody_else)["seen"]):
        assert told(confirm(browser, page, seen=forged)) == ["That page was not made for you. Select the rows again."]
    assert not AuditLog.objects.exists()


def test_without_a_csrf_token_nothing_is_done() -> None:
    strict = Client(enforce_csrf_checks=True)
    browser = sign_in()
    strict.cookies = browser.cookies
    page = select(browser, "revoke", make(RoleAssignment))
    data = {**open_page(page), "reason": REASON}
    del data["csrfmiddlewaretoken"]
    assert strict.post(url(RoleAssignment, "changelist"), data).status_code == 403
    assert not AuditLog.objects.exists()


def test_rows_that_are_gone_are_told(browser: Client) -> None:
    row = make(PrivilegedUser)
    PrivilegedUser.objects.filter(pk=row.pk).delete()
    assert told(select(browser, "disable", row)) == ["None of these rows is there any more."]


@pytest.mark.parametrize("key", ["1", "x\x00", "'; --", "", "\u202e", "9" * 10_000])
def test_a_key_that_is_none_selects_nothing(browser: Client, key: str) -> None:
    for model in (RoleAssignment, User):
        data = {"action": "delete_selected", "_selected_action": key if model is not User else f"a{key}", "post": "yes"}
        response = browser.post(url(model, "changelist"), data, follow=True)
        assert response.status_code == 200
        assert told(response) == ["Nothing was done: what was sent selects no row."]
    assert not AuditLog.objects.exists()


def many(count: int) -> list[PrivilegedUser]:
    return PrivilegedUser.objects.bulk_create(build(PrivilegedUser) for _ in range(count))


def test_hundreds_across_pages_in_as_many_queries_as_one(browser: Client) -> None:
    def queries(count: int) -> tuple[int, int]:
        rows = many(count)
        with CaptureQueriesContext(connection) as asking:
            page = select(browser, "disable", rows[0], select_across="1")
        assert page.context["count"] == count
        assert len(page.context["rows"]) == min(count, 50)
        assert (f"and {count - 50} more" in page.content.decode()) == (count > 50)
        with CaptureQueriesContext(connection) as doing:
            response = confirm(browser, page)
        assert told(response) == [f"Privileged users disabled: {count}."]
        PrivilegedUser.objects.all().delete()
        return len(asking), len(doing)

    # More than a page, since its rows are counted after they were read.
    few = queries(60)
    assert queries(400) == few
    assert max(few) < 30
    assert AuditLog.objects.filter(action="user.disabled").count() == 460
    assert AuditLog.objects.values("request_id").distinct().count() == 2


def test_beyond_the_limit_nothing_is_asked(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_duties, "MOST", 3)
    rows = many(4)
    (message,) = told(select(browser, "disable", rows[0], select_across="1"))
    assert message == "Nothing was done: more than 3 rows are selected. Narrow the list by a filter."


def test_names_are_shown_and_never_run(browser: Client) -> None:
    row = make(PrivilegedUser, upn="<script>alert(1)</script>@contoso.example")
    page = select(browser, "disable", row)
    assert "<script>alert" not in page.content.decode()
    refused = confirm(browser, page)
    refused = confirm(browser, page)
    assert "&lt;script&gt;alert(1)" in refused.content.decode()


@contextmanager
def no_trail() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_logs ADD CONSTRAINT no_trail CHECK (action = '') NOT VALID")
        yield
        cursor.execute("ALTER TABLE audit_logs DROP CONSTRAINT no_trail")


def test_what_cannot_be_written_down_is_not_done(browser: Client) -> None:
    row = make(PrivilegedUser)
    page = select(browser, "disable", row)
    with no_trail():
        (message,) = told(confirm(browser, page))
    assert message.startswith("The database refused this, and nothing was changed:")
    assert "no_trail" in message
    row.refresh_from_db()
    assert (row.is_active, row.version) == (True, 1)
