"""Signing in and out, by mouse and by keyboard."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from pam.models import AuditLog
from tests.support.site import PASSWORD, Site

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def test_a_stranger_is_asked_who_he_is_and_each_try_is_written_down(window: "Callable[..., Page]", site: Site) -> None:
    page = window()
    page.goto("/")
    page.get_by_label("Username").fill("operator")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    assert "Please enter the correct username and password" in page.inner_text("main")

    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", name="Privileged access").wait_for()
    page.get_by_role("button", name="Log out").click()
    page.get_by_role("heading", name="Logged out").wait_for()

    # Who failed has not shown who he is: the account is what all three were about.
    events = AuditLog.objects.using(site.alias).filter(event_type="authentication", target_resource_name="operator")
    results = events.order_by("timestamp", "id").values_list("result", flat=True)
    assert list(results)[-3:] == ["failure", "success", "success"]


def test_the_keyboard_is_enough(window: "Callable[..., Page]") -> None:
    page = window()
    page.goto("/admin/pam/privilegeduser/")
    # The cursor stands in the first field, once the page is there.
    page.locator("#id_username:focus").wait_for()
    page.keyboard.type("auditor")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Select privileged user").wait_for()

    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "Skip to main content"
    page.locator("#searchbar").press("End")
    page.keyboard.type("anna")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=anna**")
