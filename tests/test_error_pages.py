"""What a stranger is told when something is wrong: plain words, and nothing of the inside."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, connections
from django.test import Client, override_settings

from tests.support.admin import sign_in
from tests.support.inline import forbidden
from tests.support.routers import Everything

pytestmark = pytest.mark.django_db

INSIDE = ("Traceback", "Error", "Exception", "django", ".py", "SELECT", "psycopg", "urlconf", "settings")


def check(response: Any, status: int, words: str) -> None:
    page = response.content.decode()
    assert (response.status_code, response["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert f"<h1>{words}</h1>" in page
    assert not [word for word in INSIDE if word in page]
    assert forbidden(page) == []
    assert "script-src 'self'" in response["Content-Security-Policy"]


def test_an_address_that_is_none() -> None:
    check(Client().get("/nowhere"), 404, "There is no such page")


def test_a_page_one_may_not_see() -> None:
    browser = Client()
    browser.force_login(User.objects.create(username="clerk", is_staff=True))
    check(browser.get("/admin/auth/user/"), 403, "You may not see this")


def test_a_form_without_its_token() -> None:
    browser = Client(enforce_csrf_checks=True)
    check(browser.post("/admin/login/", {"username": "x", "password": "y"}), 403, "That was not taken")


def test_what_is_not_understood() -> None:
    response = sign_in().get("/admin/pam/session/?user__sessions__session_token_hash__startswith=a")
    check(response, 400, "That was not understood")


@override_settings(ALLOWED_HOSTS=["pam.example.com"])
def test_another_host() -> None:
    check(Client().get("/admin/login/", headers={"Host": "evil.example"}), 400, "That was not understood")


def test_an_error_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    browser = sign_in()
    browser.raise_request_exception = False
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE django_session RENAME TO elsewhere")
    check(browser.get("/admin/"), 500, "Something went wrong")
    assert 'relation "django_session" does not exist' in caplog.text, "it is in the log instead"


def test_a_database_that_does_not_answer(
    migrated: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    browser = Client(raise_request_exception=False)
    browser.cookies["sessionid"] = "s" * 32
    connections[migrated].close()
    monkeypatch.setitem(connections[migrated].settings_dict, "NAME", "no such database")
    with override_settings(DATABASE_ROUTERS=[Everything(migrated)]):
        check(browser.get("/admin/"), 503, "Something went wrong")
    assert "no such database" in caplog.text
