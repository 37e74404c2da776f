"""What many do at once on the pages is done one after the other where that matters, and told as it was."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.db import connections
from django.db.models import Model
from django.test import Client, override_settings

from menshun import throttle
from pam import staff_site
from pam.models import AuditLog, PrivilegedUser, Session
from tests.support.admin import open_form, open_page, sign_in, url
from tests.support.databases import session
from tests.support.routers import Everything
from tests.support.rows import make
from tests.support.threads import actor, until

AT_ONCE, LIMIT = 8, 5
WAITING = """
    SELECT count(*) FROM pg_catalog.pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()
"""


@pytest.fixture
def live(migrated: str) -> Iterator[str]:
    """The alias of the database that the site stands on, whose commits are commits."""
    with override_settings(DATABASE_ROUTERS=[Everything(migrated)]):
        yield migrated


def test_no_more_tries_to_sign_in_are_looked_at_than_one_after_the_other(live: str) -> None:
    together = Barrier(AT_ONCE)

    def guess() -> int:
        # The connection is there before the start.
        connections[live].ensure_connection()
        together.wait(60)
        return int(Client().post("/admin/login/", {"username": "ann", "password": "wrong"}).status_code)

    with ExitStack() as stack:
        tries = [stack.enter_context(actor(guess)) for _ in range(AT_ONCE)]
    assert Counter(one.result() for one in tries) == {200: LIMIT - 1, 429: AT_ONCE - LIMIT + 1}
    told = Counter(AuditLog.objects.values_list("action", flat=True))
    assert told == {"account.sign_in_failed": LIMIT, "account.locked_out": 1}


def test_who_waits_too_long_for_those_before_him_is_told_to_try_again(
    live: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    User.objects.create_user("ann", password="right", is_staff=True)
    monkeypatch.setattr(throttle, "TURN_MS", 50)
    browser = Client()
    sent = {"username": "ann", "password": "right", "next": "/admin/"}
    with connections[live].cursor() as cursor:
        cursor.execute("SET statement_timeout = '10s'")
    with session(live) as holder, holder.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtextextended('menshun.throttle 127.0.0.1 ann', 0))")
        answer = browser.post("/admin/login/", sent)
        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
        assert "Nothing was done" in answer.content.decode()
        assert browser.post("/admin/login/", {**sent, "username": "bob"}).status_code == 200, "others need not wait"
    assert list(AuditLog.objects.values_list("action", flat=True)) == ["account.sign_in_failed"]
    assert "sessionid" not in browser.cookies
    assert browser.post("/admin/login/", sent).status_code == 302


def test_each_change_of_a_group_is_told_with_what_the_one_before_left(live: str) -> None:
    group = Group.objects.create(name="night shift")
    browser, address = sign_in(), url(Group, "change", group)
    permissions = list(Permission.objects.order_by("pk")[:2])

    def give(permission: Permission) -> None:
        other = Client()
        other.cookies = browser.cookies
        assert other.post(address, {"name": group.name, "permissions": [permission.pk]}).status_code == 302

    with session(live) as holder, holder.cursor() as cursor, ExitStack() as stack:
        cursor.execute("BEGIN; SELECT FROM auth_group FOR UPDATE")
        changes = [stack.enter_context(actor(partial(give, permission))) for permission in permissions]

        def both_wait() -> bool:
            with connections[live].cursor() as look:
                look.execute(WAITING)
                return bool(look.fetchone() == (2,))

        until(both_wait, "both wait for the group")
        cursor.execute("COMMIT")
        for change in changes:
            change.result(60)

    first, second = AuditLog.objects.filter(action="group.changed").order_by("timestamp", "pk")
    assert first.previous_values == {"permissions": []}
    assert second.previous_values == first.new_values
    assert second.new_values == {"permissions": [str(group.permissions.get())]}


def stored(row: Model) -> dict[str, Any]:
    (values,) = type(row)._base_manager.filter(pk=row.pk).values()
    return values


def test_whatever_needs_a_table_that_somebody_has_for_himself_is_not_done_and_told_to_try_again(
    live: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staff_site, "LOCK_MS", 50)
    browser, user, session_row = sign_in(), make(PrivilegedUser), make(Session)
    ann = User.objects.create_user("ann", password="right", is_staff=True)
    edit, duty = url(PrivilegedUser, "change", user), url(PrivilegedUser, "changelist")
    account = url(User, "change", ann)
    form = {**open_form(browser, edit), "department": "Audit"}
    chosen = {"_selected_action": str(user.pk), "index": "0"}
    asked = open_page(browser.post(duty, {"action": "disable", **chosen}))
    new = {"password1": "another horse", "password2": "another horse", "usable_password": "true", "set-password": "1"}
    signed_in = {"username": "ann", "password": "right", "next": "/admin/"}
    posts: dict[str, list[tuple[str, dict[str, Any]]]] = {
        "audit_logs": [
            ("/admin/login/", signed_in),
            ("/admin/login/", {**signed_in, "password": "wrong"}),
            (edit, form),
            (url(PrivilegedUser, "delete", user), {"post": "yes"}),
            (duty, {"action": "delete_selected", "post": "yes", **chosen}),
            (duty, {**asked, "reason": "Ticket 4711"}),
            (account, {**open_form(browser, account), "first_name": "Ann"}),
            (account.replace("/change/", "/password/"), new),
            ("/admin/pam/auditlog/export/", {"format": "csv"}),
            ("/admin/logout/", {}),
        ],
        "privileged_users": [(edit, form), (duty, {**asked, "reason": "Ticket 4711"})],
        "django_session": [(edit, form)],
    }
    gets = {
        "audit_logs": [url(AuditLog, "changelist"), edit],
        "privileged_users": [duty, edit, url(Session, "change", session_row)],
        "django_session": ["/admin/login/", duty],
    }
    before = [stored(user), stored(ann), AuditLog.objects.count()]
    with connections[live].cursor() as cursor:
        cursor.execute("SET statement_timeout = '5s'; SHOW lock_timeout")
        unbounded = cursor.fetchone()
    for table, sent in posts.items():
        with session(live) as holder, holder.cursor() as cursor:
            cursor.execute(f"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            answers = [browser.post(address, data) for address, data in sent]
            answers += [browser.get(address) for address in gets[table]]
        for answer in answers:
            assert (answer.status_code, answer["Retry-After"]) == (503, "0"), answer.request["PATH_INFO"]
            assert "Nothing was done" in answer.content.decode()
    assert [stored(user), stored(ann), AuditLog.objects.count()] == before
    assert browser.get(edit).status_code == 200, "still signed in, as who it was"
    assert not LogEntry.objects.exists()
    assert not AccessAttempt.objects.exists()
    with connections[live].cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == unbounded
    assert browser.post(edit, form).status_code == 302
