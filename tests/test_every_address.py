"""Every address of the site, tried by strangers and by each role, with forged ids, other methods, without CSRF token.

Each row carries a word that names its table. Whoever may not see the table must not meet the word, on any page.
"""

import io
import uuid
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import models
from django.test import Client

from pam.models import (
    AuditLog,
    Credential,
    CredentialRotation,
    DirectoryRole,
    PrivilegedUser,
    RoleAssignment,
    ServiceIdentity,
    Session,
)
from pam.staff_roles import ROLES
from tests.support.addresses import PART, addresses, filled, model_of
from tests.support.admin import sign_in
from tests.support.rows import make
from tests.support.staff import KEPT, SEES, Models, browser_of

pytestmark = [pytest.mark.django_db, pytest.mark.beside_15]

Rows = dict[str, models.Model]

# A column of each table that its pages show.
SPOKEN: dict[type[models.Model], str] = {
    PrivilegedUser: "display_name",
    DirectoryRole: "role_name",
    ServiceIdentity: "name",
    Credential: "name",
    CredentialRotation: "reason",
    RoleAssignment: "justification",
    Session: "user_agent",
    AuditLog: "description",
}
ACCOUNTS = (User, Group)
WRITING = ("post", "put", "patch", "delete")
FORGED = (
    "0",
    "9" * 40,
    str(uuid.UUID(int=7)),
    "x\0",
    "'; DROP TABLE sessions; --",
    "_00_5F_",
    "..\u202e/%2e%2e/",
    "x" * 10_000,
)
SENT = (str(uuid.UUID(int=7)), "x\0", "_00_5F_")
QUERIES = (
    "q=%00",
    "q=%25%25%25%5F%5C",
    "q=" + "%E2%80%AE" * 300,
    "o=999.-1.x",
    "p=x",
    "p=99999999999999999999",
    "e=1",
    "all=",
    "deleted=x",
    "question=x",
    "is_active__exact=%00",
    "pk__in=x,%00",
    "user__session__session_token_hash__startswith=a",
    "timestamp__gte=x",
    "_to_field=password",
    "_popup=1&_changelist_filters=%00",
    "x" * 10_000,
)


def word(name: str) -> str:
    """What rows of this table say, and nothing else does."""
    return f"spoken-by-{name}"


@pytest.fixture
def rows() -> Rows:
    """A row of each table that has pages, by the name of its model."""
    call_command("pam_roles", stdout=io.StringIO())
    kept = [make(model, **{SPOKEN[model]: word(model.__name__.lower())}) for model in KEPT]
    accounts = [User.objects.create(username=word("user")), Group.objects.create(name=word("group"))]
    return {type(row).__name__.lower(): row for row in (*kept, *accounts)}


def parts(address: str, rows: Rows) -> dict[str, str]:
    """The open parts of an address, all of which lead to a row; a report, which has none, is asked for any."""
    key = str(rows.get(model_of(address), rows["session"]).pk)
    kind = str(ContentType.objects.get_for_model(Session).pk)
    return {"object_id": key, "id": key, "content_type_id": kind, "app_label": "pam", "rest": "x", "url": "nowhere/"}


def every_address(rows: Rows) -> list[str]:
    return [filled(address, parts(address, rows)) for address in addresses() if "logout" not in address]


def state() -> Any:
    """All that somebody could have changed. Sign-ins that failed may have been written down; nothing else."""
    tables: Models = (*(model for model in KEPT if model is not AuditLog), *ACCOUNTS, Permission)
    events = AuditLog.objects.exclude(event_type="authentication", description__startswith="Sign-in")
    return [list(model._base_manager.order_by("pk").values()) for model in tables], list(events.order_by("pk").values())


def words_on(response: Any) -> set[str]:
    """The tables whose words are on a page, or in what it is told to be saved as."""
    text = (b"".join(response.streaming_content) if response.streaming else response.content).decode(errors="replace")
    text += str(response.headers)
    return {name for name in (*(model.__name__.lower() for model in KEPT), "user", "group") if word(name) in text}


def test_a_stranger_sees_and_changes_nothing(rows: Rows) -> None:
    before, client = state(), Client()
    for address in every_address(rows):
        for method in ("get", "head", "options", *WRITING):
            response = getattr(client, method)(address)
            assert response.status_code in {200, 301, 302, 401, 403, 404, 405}, (method, address)
            assert not words_on(response), (method, address)
            if response.status_code == 200 and method == "get":
                assert address in {"/admin/login/", "/healthz"}, address
    assert state() == before


@pytest.mark.parametrize("role", ROLES)
def test_a_role_sees_its_tables_and_no_others(rows: Rows, role: str) -> None:
    client, before, met = browser_of(role), state(), set[str]()
    for address in every_address(rows):
        met |= words_on(client.get(address))
    assert met == {model.__name__.lower() for model in SEES[role]} & SPOKEN_NAMES
    assert state() == before


@pytest.mark.parametrize("role", ROLES)
def test_a_role_changes_nothing_by_sending_forms_it_was_not_shown(rows: Rows, role: str) -> None:
    client = browser_of(role)
    before = state()
    for address in every_address(rows):
        row = rows.get(model_of(address), rows["session"])
        for action in ("delete_selected", "restore"):
            data = {"post": "yes", "_save": "Save", "action": action, "_selected_action": str(row.pk), "version": "1"}
            response = client.post(address, data)
            assert response.status_code in {200, 302, 403, 404, 405}, address
        for method in ("put", "patch", "delete"):
            response = getattr(client, method)(address, urlencode(data), "application/x-www-form-urlencoded")
            assert response.status_code in {200, 302, 403, 404, 405}, (method, address)
    assert state() == before


def test_without_a_csrf_token_not_even_a_superuser_changes_anything(rows: Rows) -> None:
    client = Client(enforce_csrf_checks=True)
    client.cookies = sign_in().cookies
    before = state()
    for address in (*every_address(rows), "/admin/logout/"):
        row = rows.get(model_of(address), rows["session"])
        data = {"post": "yes", "action": "delete_selected", "_selected_action": str(row.pk), "name": "x"}
        for method in WRITING:
            response = getattr(client, method)(address, urlencode(data), "application/x-www-form-urlencoded")
            assert response.status_code == 403, (method, address)
    assert state() == before
    assert client.get("/admin/").status_code == 200, "not signed out either"


def test_forged_ids_lead_nowhere_and_never_to_an_error(rows: Rows) -> None:
    client = sign_in()
    before = state()
    for address in filter(PART.search, addresses()):
        for forged in FORGED:
            right = parts(address, rows)
            for part in PART.findall(address):
                path = filled(address, {**right, part: quote(forged, safe="/")})
                # What is sent is read after the row was found.
                for method in ("get", "post") if forged in SENT else ("get",):
                    response = getattr(client, method)(path)
                    assert response.status_code in {200, 301, 302, 400, 403, 404}, (method, path)
    assert state() == before


def test_odd_queries_are_never_an_error(rows: Rows) -> None:
    client = sign_in()
    for address in addresses():
        if not PART.search(address):
            # The pages of the database look at it each time, and read nothing but whether to refresh themselves.
            for query in QUERIES[:2] if address.startswith("/admin/database/") else QUERIES:
                response = client.get(f"{address}?{query}")
                assert response.status_code in {200, 301, 302, 400, 403, 404, 405}, (address, query)


SPOKEN_NAMES = {model.__name__.lower() for model in SPOKEN}
