"""Pages load and run nothing but files of this site, and say so: no script or style stands in a page itself."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, User

from pam.models.reports import REPORTS
from tests.support.addresses import PART, addresses
from tests.support.admin import sign_in, url
from tests.support.inline import forbidden
from tests.support.rows import make
from tests.support.staff import KEPT


def check(response: Any, address: str) -> None:
    if response["Content-Type"].startswith("text/html") and not response.streaming:
        assert "script-src 'self'" in response["Content-Security-Policy"], address
        assert forbidden(response.content.decode()) == [], address


@pytest.mark.django_db
def test_no_page_has_a_script_or_style_of_its_own() -> None:
    browser = sign_in()
    rows = [*(make(model) for model in KEPT), Group.objects.create(name="night shift"), User.objects.get()]
    pages = [address for address in addresses() if not PART.search(address) and not address.endswith(".svg")]
    pages += [url(type(row), "change", row) for row in rows]
    pages += [url(type(rows[0]), page, rows[0]) for page in ("history", "delete")]
    pages += [url(model, "changelist") for model in REPORTS]
    for address in pages:
        check(browser.get(address), address)
    assert len(pages) > 40
    row = rows[0]
    changelist = url(type(row), "changelist")
    for action in ("delete_selected", "disable"):
        asked = browser.post(changelist, {"action": action, "_selected_action": str(row.pk), "index": "0"})
        assert asked.status_code == 200
        check(asked, action)


@pytest.mark.django_db
def test_the_policy() -> None:
    policy = sign_in().get("/admin/")["Content-Security-Policy"]
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives == {
        **dict.fromkeys(("default-src", "base-uri", "object-src", "frame-ancestors"), "'none'"),
        **dict.fromkeys(("script-src", "style-src", "img-src", "font-src", "connect-src", "form-action"), "'self'"),
    }


def test_what_is_forbidden_is_found() -> None:
    page = '<p style="x"><a onclick=x><script>x</script><script src="//cdn/x"></script><style></style><img src="/x">'
    assert forbidden(page) == ["<p style>", "<a onclick>", "<script>", "<script> of //cdn/x", "<style>"]
