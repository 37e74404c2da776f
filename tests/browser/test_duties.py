"""Each action of the lists: done by who may, with a reason and an event; not offered to who may not."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib import admin
from django.db.models import Q
from django.utils import timezone

from pam.admin.duties import Duty
from pam.models import (
    AuditLog,
    Credential,
    CredentialRotation,
    PrivilegedUser,
    RoleAssignment,
    ServiceIdentity,
    Session,
)
from tests.support.admin import url
from tests.support.site import Site

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

OPEN = Q(rotations__status__in=["scheduled", "in_progress"])
# The duty, a row of a company that it is for, what that needs to be made of it first, and what becomes of it.
ACTIVE = RoleAssignment.objects.filter(is_active=True, is_emergency=False)
EMERGENCY = {"is_emergency": True, "emergency_justification": "x", "expires_at": timezone.now() + timedelta(days=1)}
DUTIES: list[tuple[str, Any, dict[str, Any], dict[str, Any]]] = [
    ("revoke", ACTIVE, {}, {"is_active": False}),
    ("certify", ACTIVE, {}, {"certified_by": "root"}),
    ("approve", ACTIVE, {"approval_required": True, "approved_by": None}, {"approved_by": "root"}),
    ("end_emergency", ACTIVE, EMERGENCY, {"is_active": False}),
    ("suspend", ServiceIdentity.objects.filter(status="active"), {}, {"status": "suspended"}),
    ("reactivate", ServiceIdentity.objects.filter(status="suspended"), {}, {"status": "active"}),
    ("disable", PrivilegedUser.objects.filter(is_active=True), {}, {"is_active": False}),
    ("enable", PrivilegedUser.objects.filter(is_active=False), {}, {"is_active": True}),
    ("terminate_sessions", PrivilegedUser.objects.filter(sessions__is_active=True), {}, {}),
    ("request_rotation", Credential.objects.filter(status="active").exclude(OPEN), {}, {}),
    ("retry", CredentialRotation.objects.filter(status="failed"), {}, {"status": "scheduled"}),
    ("terminate", Session.objects.filter(is_active=True), {}, {"is_active": False}),
]


def test_no_duty_is_forgotten() -> None:
    actions = [action for page in admin.site._registry.values() for action in page.actions or ()]
    assert {action.name for action in actions if isinstance(action, Duty)} == {name for name, _, _, _ in DUTIES}


@pytest.mark.parametrize(("duty", "rows", "needs", "after"), DUTIES, ids=[row[0] for row in DUTIES])
def test_a_duty_is_done_with_a_reason_and_leaves_its_event(
    root: "Page", auditor: "Page", site: Site, duty: str, rows: Any, needs: dict[str, Any], after: dict[str, Any]
) -> None:
    row = rows.using(site.alias).order_by("-pk")[0]
    rows.using(site.alias).filter(pk=row.pk).update(**needs)
    address = f"{url(type(row), 'changelist')}?id__exact={row.pk}"
    auditor.goto(address)
    assert not auditor.locator(f"select[name=action] option[value={duty}]").count()

    root.goto(address)
    root.locator("select[name=action]").select_option(duty)
    root.locator("#action-toggle").check()
    root.get_by_role("button", name="Go").click()
    root.get_by_label("Reason").fill(f"Ticket 4711: {duty}")
    root.locator(".submit-row input[type=submit]").click()
    assert root.locator("ul.messagelist li.success").inner_text()

    row.refresh_from_db(using=site.alias)
    assert {name: getattr(row, name) for name in after} == after
    events = AuditLog.objects.using(site.alias).filter(details=f"Ticket 4711: {duty}")
    assert {event.actor_upn for event in events} == {"root"}


def test_a_stale_edit_is_refused_in_the_window_that_came_second(root: "Page", site: Site) -> None:
    user = PrivilegedUser.objects.using(site.alias).order_by("upn")[3]
    address = url(PrivilegedUser, "change", user)
    second = root.context.new_page()
    for window, title in ((root, "Chief"), (second, "Clerk")):
        window.goto(address)
        window.get_by_label("Job title").fill(title)
    root.get_by_role("button", name="Save", exact=True).click()
    root.locator("ul.messagelist li.success").wait_for()
    second.get_by_role("button", name="Save", exact=True).click()

    assert "changed by somebody else since you opened it" in second.inner_text("main")
    user.refresh_from_db(using=site.alias)
    assert user.job_title == "Chief"
    second.close()
