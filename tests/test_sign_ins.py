"""Signing in, failing to, signing out, a new password: told with who and from where, or not done; and throttled."""

from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.utils import timezone

from menshun import throttle
from pam.models import AuditLog

pytestmark = pytest.mark.django_db

LOGIN = "/admin/login/"
PASSWORD = "correct horse battery"  # noqa: S105 (of a user that lives for one test)
WRONG = "wrong"
HERE, THERE = "192.0.2.7", "2001:db8::7"
LIMIT = 5


@pytest.fixture
def ann() -> User:
    return User.objects.create_user("ann@example.com", password=PASSWORD, is_staff=True)


def enter(name: str = "ann@example.com", password: str = WRONG, address: str = HERE, browser: Any = None) -> Any:
    """Send the form of the page to sign in."""
    sent = {"username": name, "password": password, "next": "/admin/"}
    return (browser or Client(raise_request_exception=False)).post(LOGIN, sent, REMOTE_ADDR=address)


def events() -> list[str]:
    return list(AuditLog.objects.order_by("timestamp", "pk").values_list("action", flat=True))


def write_no_more() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_logs ADD CONSTRAINT no_trail CHECK (action = '') NOT VALID")


def test_a_sign_in_and_a_sign_out_are_told(ann: User) -> None:
    browser = Client()
    assert enter(password=PASSWORD, browser=browser).status_code == 302
    assert browser.get("/admin/").status_code == 200
    assert browser.post("/admin/logout/", REMOTE_ADDR=THERE).status_code == 200
    assert browser.get("/admin/").status_code == 302

    told_in, told_out = AuditLog.objects.order_by("timestamp", "pk")
    assert (told_in.action, told_out.action) == ("account.signed_in", "account.signed_out")
    for event in (told_in, told_out):
        assert (event.event_type, event.result, event.actor_upn) == ("authentication", "success", "ann@example.com")
        assert (event.target_resource_type, event.target_resource_id) == ("user", str(ann.pk))
    assert (told_in.source_ip, told_out.source_ip) == (HERE, THERE)
    Client().post("/admin/logout/")
    assert AuditLog.objects.count() == 2, "a stranger has nothing to leave"


@pytest.mark.parametrize("name", ["a" * 150, "\u0130" * 150], ids=["long", "longer in lower case"])
def test_who_has_the_longest_names_signs_in_too(name: str) -> None:
    User.objects.create_user(name, password=PASSWORD, is_staff=True, first_name="F" * 150, last_name="L" * 150)
    assert enter(name, PASSWORD).status_code == 302
    event = AuditLog.objects.get()
    assert event.actor_upn == name.lower()[:255]
    assert event.actor_display_name == "F" * 150 + " " + "L" * 104


def test_a_failure_is_told_without_the_password(ann: User) -> None:
    for name in ("ann@example.com", "nobody"):
        response = enter(name, "hunter2-hunter2")
        assert response.status_code == 200
        assert "hunter2" not in response.content.decode()
    known, unknown = AuditLog.objects.order_by("timestamp", "pk")
    for event, name in ((known, "ann@example.com"), (unknown, "nobody")):
        assert (event.action, event.event_type) == ("account.sign_in_failed", "authentication")
        assert (event.result, event.severity, event.source_ip) == ("failure", "warning", HERE)
        assert event.new_values == {"name": name}
        assert event.description == f"Sign-in failed: {name}"
        assert event.actor_upn is None, "nobody showed who they are"
    assert (known.target_resource_id, unknown.target_resource_id) == (str(ann.pk), None)
    assert "hunter2" not in str(list(AuditLog.objects.values()))
    assert "hunter2" not in str(list(AccessAttempt.objects.values()))


@pytest.mark.parametrize("what", [{"is_staff": False}, {"is_active": False}])
def test_the_right_password_of_who_may_not_sign_in_is_a_failure_like_others(ann: User, what: dict[str, bool]) -> None:
    User.objects.update(**what)
    pages = [enter(password=PASSWORD) for _ in range(LIMIT)]
    assert [page.status_code for page in pages] == [200] * (LIMIT - 1) + [429]
    assert events() == ["account.sign_in_failed"] * LIMIT + ["account.locked_out"]
    assert enter(password="wrong", address=THERE).content.count(b"errornote") == pages[0].content.count(b"errornote")


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("x" * 10_000, "x" * 150 + "…"),
        ("\u202e" * 300, "\u202e" * 150 + "…"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("'; DROP TABLE sessions; --", "'; DROP TABLE sessions; --"),
    ],
)
def test_any_name_can_be_told(name: str, kept: str) -> None:
    assert enter(name).status_code == 200
    assert AuditLog.objects.get().new_values == {"name": kept}


def test_a_name_that_is_none_is_refused_by_the_form() -> None:
    for name in ("", "\0", "ann\0"):
        assert enter(name).status_code == 200
    assert events() == []


def test_a_header_that_could_not_be_told_is_a_bad_request() -> None:
    sent = {"username": "ann@example.com", "password": WRONG}
    answer = Client(raise_request_exception=False).post(LOGIN, sent, headers={"User-Agent": "a\0b"})
    assert (answer.status_code, events()) == (400, [])
    assert Client().post(LOGIN, sent, headers={"User-Agent": "\xff" * 8_000}).status_code == 200


def test_what_cannot_be_told_does_not_happen(ann: User) -> None:
    browser = Client(raise_request_exception=False)
    browser.get(LOGIN)
    browser.force_login(ann)
    sessions = Session.objects.count()
    joined = User.objects.get().last_login
    write_no_more()

    other = Client(raise_request_exception=False)
    response = enter(password=PASSWORD, browser=other)
    assert response.status_code == 500
    assert "sessionid" not in response.cookies
    assert other.get("/admin/").status_code == 302
    assert (User.objects.get().last_login, Session.objects.count()) == (joined, sessions)

    assert browser.post("/admin/logout/").status_code == 500
    assert browser.get("/admin/").status_code == 200, "still signed in"

    new = {"old_password": PASSWORD, "new_password1": "another horse battery", "new_password2": "another horse battery"}
    assert browser.post("/admin/password_change/", new).status_code == 500
    assert User.objects.get().check_password(PASSWORD)


def test_an_own_new_password_is_told_and_not_shown(ann: User) -> None:
    browser = Client()
    browser.force_login(ann)
    new = {"old_password": "wrong", "new_password1": "another horse battery", "new_password2": "another horse battery"}
    assert browser.get("/admin/password_change/").status_code == 200
    assert browser.post("/admin/password_change/", new).status_code == 200
    assert events() == ["account.sign_in_failed"]
    assert browser.post("/admin/password_change/", {**new, "old_password": PASSWORD}).status_code == 302
    event = AuditLog.objects.get(action="account.password_changed")
    assert (event.action, event.actor_upn) == ("account.password_changed", "ann@example.com")
    assert (event.previous_values, event.new_values) == (None, None)
    assert browser.get("/admin/").status_code == 200, "signed in as before"


def test_nobody_guesses_a_password_at_leisure_in_a_session_of_another(ann: User) -> None:
    browser = Client()
    browser.force_login(ann)
    new = {"new_password1": "another horse battery", "new_password2": "another horse battery"}
    tries = [*(["wrong"] * LIMIT), PASSWORD]
    pages = [browser.post("/admin/password_change/", {**new, "old_password": old}) for old in tries]
    assert [page.status_code for page in pages] == [200] * (LIMIT - 1) + [429, 429]
    assert "with this name from where you are" in pages[-1].content.decode()
    assert events() == ["account.sign_in_failed"] * LIMIT + ["account.locked_out"]
    assert User.objects.get().check_password(PASSWORD), "the right one was not even looked at"


def test_after_too_many_failures_one_waits_and_is_told_how_long(ann: User) -> None:
    pages = [enter() for _ in range(LIMIT)]
    assert [page.status_code for page in pages] == [200] * (LIMIT - 1) + [429]
    assert events() == ["account.sign_in_failed"] * LIMIT + ["account.locked_out"]
    last = AccessAttempt.objects.get()

    for password in ("wrong", PASSWORD, PASSWORD):
        page = enter(password=password)
        assert page.status_code == 429, "the right password is not even looked at"
        assert 14 * 60 < int(page["Retry-After"]) <= 15 * 60 + 1
        assert "no-store" in page["Cache-Control"]
        until = last.attempt_time.replace(second=0) + timedelta(minutes=16)
        assert f"{until:%Y-%m-%d %H:%M} UTC" in page.content.decode()
        assert "with this name from where you are" in page.content.decode()
    assert len(events()) == LIMIT + 1, "told once"
    event = AuditLog.objects.get(action="account.locked_out")
    assert (event.result, event.severity, event.target_resource_id) == ("denied", "high", str(ann.pk))
    assert event.source_ip == HERE

    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=15, seconds=1))
    assert enter(password=PASSWORD).status_code == 302
    assert not AccessAttempt.objects.exists()


def test_a_stranger_locks_out_nobody_but_himself(ann: User) -> None:
    for _ in range(LIMIT + 1):
        assert enter().status_code in {200, 429}
    assert enter(address=THERE, password=PASSWORD).status_code == 302
    assert enter("bob", address=HERE).status_code == 200, "other names may still be used here"
    assert enter().status_code == 429, "nor does her sign-in let him try again"


def test_one_address_that_tries_many_names_waits_too(ann: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "ADDRESS_LIMIT", 8)
    User.objects.create_user("bob", password=PASSWORD, is_staff=True)
    names = [f"name-{number}" for number in range(8)]
    assert [enter(name).status_code for name in names] == [200] * 7 + [429]
    assert events().count("account.locked_out") == 1
    before = len(events())
    refused = enter("bob", PASSWORD)
    assert (refused.status_code, "with any name from where you are" in refused.content.decode()) == (429, True)
    assert enter("yet another").status_code == 429
    assert len(events()) == before
    assert enter("bob", PASSWORD, address=THERE).status_code == 302


def test_of_whom_no_address_is_known_each_name_waits_for_itself(ann: User) -> None:
    for _ in range(LIMIT):
        page = enter(address="")
    assert page.status_code == 429
    assert enter("bob", address="").status_code == 200
    assert AuditLog.objects.filter(source_ip__isnull=True).count() == LIMIT + 2


def test_a_sign_in_begins_the_count_anew(ann: User) -> None:
    for password in ("wrong", "wrong", "wrong", "wrong", PASSWORD, "wrong", "wrong", "wrong", "wrong"):
        assert enter(password=password).status_code == (302 if password == PASSWORD else 200)


def test_all_of_a_network_of_ipv6_are_one_address(ann: User) -> None:
    """Whoever has one of its addresses can use all of them, a new one for each try."""
    pages = [enter(address=f"2001:db8::{number}:7") for number in range(LIMIT)]
    assert [page.status_code for page in pages] == [200] * (LIMIT - 1) + [429]
    assert enter(password=PASSWORD, address="2001:db8::ffff").status_code == 429
    assert set(AuditLog.objects.values_list("source_ip", flat=True)) >= {"2001:db8::7", "2001:db8::4:7"}, (
        "told as it is"
    )
    assert enter(password=PASSWORD, address="2001:db8:0:1::7").status_code == 302
