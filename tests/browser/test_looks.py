"""How the main pages look: dark and light, on a telephone, to a screen reader; and pictures of them for the README."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pam.models import AuditLog, PrivilegedUser, RoleAssignment
from tests.support.admin import url
from tests.support.site import Site

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

# What sticks out of the window and moves it, outermost first.
WIDE = """() => [...document.querySelectorAll("main *")]
    .filter(part => document.documentElement.scrollWidth > innerWidth)
    .filter(part => part.getBoundingClientRect().right > innerWidth)
    .map(part => part.outerHTML.slice(0, 200))"""
TEAMS = count(1)
ADDRESSES = {"index": "/admin/", "events": "/admin/pam/auditlog/", "partitions": "/admin/database/partitions/"}
MAIN = ("index", "events", "event", "person", "partitions", "revoke")


def open_main(page: "Page", site: Site, name: str) -> None:
    """Go to one of the main pages; that of an event is of an edit that was just made."""
    if name == "event":
        page.goto(url(PrivilegedUser, "change", PrivilegedUser.objects.using(site.alias).order_by("upn")[7]))
        page.get_by_label("Job title").fill(f"Engineer of team {next(TEAMS)}")
        page.get_by_role("button", name="Save", exact=True).click()
        page.locator("ul.messagelist li.success").wait_for()
        edit = AuditLog.objects.using(site.alias).filter(actor_upn="root", action="user.changed").latest("timestamp")
        page.goto(url(AuditLog, "change", edit))
    elif name == "person":
        people = PrivilegedUser.objects.using(site.alias).filter(
            sessions__is_active=True, role_assignments__is_active=True
        )
        page.goto(url(PrivilegedUser, "change", people.order_by("upn")[0]))
        page.locator("#part-1").evaluate("part => part.scrollIntoView()")
    elif name == "revoke":
        page.goto(url(RoleAssignment, "changelist"))
        for box in page.locator("input.action-select").all()[:3]:
            box.check()
        page.locator("select[name=action]").select_option("revoke")
        page.get_by_role("button", name="Go").click()
        page.get_by_label("Reason").fill("Ticket 4711: the project is over")
    else:
        page.goto(ADDRESSES[name])


@pytest.mark.parametrize("name", MAIN)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_main_page_is_for_everybody(
    signed_in: "Callable[..., Page]", site: Site, name: str, scheme: str, screenshots: Path | None
) -> None:
    """WCAG 2.1 AA, as far as axe can tell it: contrast, labels, names, order of headings, what the keyboard reaches."""
    from axe_playwright_python.sync_playwright import Axe

    # To measure contrast, axe sets styles of its own, which our policy forbids.
    page = signed_in("root", color_scheme=scheme, viewport={"width": 1280, "height": 900}, bypass_csp=True)
    open_main(page, site, name)
    if screenshots and scheme == "light":
        page.screenshot(path=screenshots / f"{name}.png")
    results = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]})
    assert [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in results.response["violations"]] == []


@pytest.mark.parametrize("name", MAIN)
def test_a_telephone_need_not_be_moved_sideways(signed_in: "Callable[..., Page]", site: Site, name: str) -> None:
    page = signed_in("root", viewport={"width": 390, "height": 844})
    open_main(page, site, name)
    wide = page.evaluate(WIDE)
    assert wide == []
