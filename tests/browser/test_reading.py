"""What an auditor does all day: search, filter, read a row, and what happened around an event."""

from typing import TYPE_CHECKING

import pytest

from pam.models import AuditLog, PrivilegedUser, RoleAssignment
from tests.support.site import Site

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def test_a_search_finds_and_a_short_one_says_why_not(auditor: "Page", site: Site) -> None:
    user = PrivilegedUser.objects.using(site.alias).filter(role_assignments__isnull=False).order_by("upn")[0]
    auditor.goto("/admin/")
    auditor.get_by_role("link", name="Privileged users").first.click()
    auditor.locator("#searchbar").fill(user.upn)
    auditor.get_by_role("button", name="Search").click()
    auditor.get_by_role("link", name=user.upn).click()
    auditor.get_by_role("heading", name=str(user)).first.wait_for()

    auditor.goto("/admin/pam/privilegeduser/?q=ab")
    assert "at least one word of 3 letters" in auditor.inner_text("main")


def test_a_filter_narrows_the_list_and_another_one_empties_it(auditor: "Page", site: Site) -> None:
    high = PrivilegedUser.objects.using(site.alias).filter(risk_level="high").count()
    auditor.goto("/admin/pam/privilegeduser/")
    auditor.get_by_role("link", name="High", exact=True).click()
    auditor.wait_for_url("**risk_level__exact=high**")
    assert f"{high:,} privileged user" in auditor.inner_text("main")
    auditor.locator("#searchbar").fill("nobody-of-this-name")
    auditor.get_by_role("button", name="Search").click()
    auditor.get_by_text("No privileged users match.").wait_for()


def test_a_person_is_shown_with_what_he_has_and_did(auditor: "Page", site: Site) -> None:
    assignment = RoleAssignment.objects.using(site.alias).filter(user__isnull=False)[0]
    auditor.goto(f"/admin/pam/privilegeduser/{assignment.user_id}/change/")
    for heading in ("Assignments", "Sessions", "Events"):
        assert auditor.get_by_role("heading", name=heading).count(), heading


def test_an_event_leads_to_those_around_it(auditor: "Page", site: Site) -> None:
    event = AuditLog.objects.using(site.alias).filter(correlation_id__isnull=False).order_by("-timestamp")[0]
    auditor.goto(f"/admin/pam/auditlog/{event.pk}/change/")
    assert "Around this event" in auditor.inner_text("main")
