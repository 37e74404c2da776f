"""The pages of the database, from the first page of the admin on."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def test_a_dba_goes_through_all_of_them(signed_in: "Callable[..., Page]") -> None:
    dba = signed_in("DBA")
    dba.goto("/admin/")
    dba.get_by_role("link", name="State of the database").click()
    pages = dba.get_by_label("Pages of the database").get_by_role("link")
    for number in range(pages.count()):
        pages.nth(number).click()
        assert pages.nth(number).get_attribute("aria-current") == "page"
        dba.get_by_role("heading", level=2).first.wait_for()
        for image in dba.locator("main img").all():
            assert image.get_attribute("alt")
            image.evaluate("image => image.decode()")


def test_nobody_else_sees_them(auditor: "Page", operator: "Page") -> None:
    for page in (auditor, operator):
        page.goto("/admin/")
        assert not page.get_by_role("link", name="State of the database").count()
        for name in ("", "partitions/", "partitions/timeline.svg", "sizes/growth.svg"):
            assert page.request.get(f"/admin/database/{name}").status == 403
