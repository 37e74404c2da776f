"""Every page of every table opens, with few queries however many rows there are, and without counting a big table."""

from typing import Any

import pytest
from django.contrib import admin
from django.db import connection, models
from django.test import Client
from django.test.utils import CaptureQueriesContext

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
from pam.models.reports import REPORTS
from pam.querysets.search import MOST_WORDS
from tests.support.admin import open_form, sign_in, told, url
from tests.support.rows import make

pytestmark = [pytest.mark.django_db, pytest.mark.once]

EDITABLE: list[Any] = [PrivilegedUser, DirectoryRole, ServiceIdentity, Credential, CredentialRotation, RoleAssignment]
TABLES: list[Any] = [*EDITABLE, Session, AuditLog]
COMMON: list[Any] = [model for model in TABLES if model is not AuditLog]
# A limit for locks there and back; Django's session and the user who signed in; a savepoint with a limit, both there
# and back; then the admin's own: the rows, what a count would cost, the count, what they refer to by each of up to
# three references, or one filter with values, or the months there are and the table that has them.
QUERIES_OF_A_LIST = 15
# The same four, the row, and for each of up to two references: who is chosen, and their name for the title.
QUERIES_OF_A_ROW = 9


@pytest.fixture
def browser() -> Client:
    return sign_in()


def queries_of(client: Client, address: str, parameters: dict[str, str] | None = None) -> list[str]:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        response = client.get(address, parameters or {})
    assert response.status_code == 200, response
    return [query["sql"] for query in captured]


def test_the_eight_tables_and_the_reports_are_registered() -> None:
    registered = {model for model in admin.site._registry if model._meta.app_label == "pam"}

    assert registered == {*TABLES, *REPORTS}


def test_the_site_says_its_name(browser: Client) -> None:
    page = browser.get("/admin/").content.decode()

    assert "menshun" in page
    assert "Privileged access" in page


@pytest.mark.parametrize("model", TABLES)
def test_a_list_takes_the_same_few_queries_for_many_rows(browser: Client, model: type[models.Model]) -> None:
    """However many: 60 are more than one page, and are counted after they were read."""
    asked = []
    for more in (10, 50, 50):
        for _ in range(more):
            make(model)
        asked.append(queries_of(browser, url(model, "changelist")))
    few, many, twice_as_many = map(len, asked)

    assert few + 2 == many == twice_as_many <= QUERIES_OF_A_LIST


@pytest.mark.parametrize("model", TABLES)
def test_no_list_counts_without_a_limit(browser: Client, model: type[models.Model]) -> None:
    for _ in range(51):
        make(model)
    address = url(model, "changelist")

    everything = {"_facets": "True"} | ({} if model is AuditLog else {"deleted": "all"})
    for parameters in ({}, everything, everything | {"q": "ann"}):
        counts = [sql for sql in queries_of(browser, address, parameters) if "COUNT(" in sql]
        assert counts or "q" in parameters, "what is read whole needs no count"
        assert all("LIMIT" in sql for sql in counts)


@pytest.mark.parametrize("model", TABLES)
def test_a_list_shows_its_columns_and_rows(browser: Client, model: type[models.Model]) -> None:
    row = make(model)

    response = browser.get(url(model, "changelist"))

    assert response.context["cl"].result_count == 1
    page = response.content.decode()
    assert str(row.pk) in page
    for column in admin.site.get_model_admin(model).list_display:
        assert f"column-{column}" in page


@pytest.mark.parametrize("model", TABLES)
def test_every_filter_can_be_chosen(browser: Client, model: type[models.Model]) -> None:
    """Every choice of our own filters, and the last ones of all of Django's at once."""
    make(model)
    address = url(model, "changelist")
    changelist = browser.get(address).context["cl"]
    assert len(changelist.filter_specs) > 1
    ours, djangos = [], []
    for spec in changelist.filter_specs:
        choices = [choice["query_string"] for choice in spec.choices(changelist)]
        if isinstance(spec, admin.SimpleListFilter):
            ours += choices[1:]
        else:
            djangos.append(choices[-1].removeprefix("?"))

    for query in (*ours, "?" + "&".join(djangos)):
        assert browser.get(address + query).status_code == 200


@pytest.mark.parametrize("model", EDITABLE)
def test_an_add_form_opens(browser: Client, model: type[models.Model]) -> None:
    form = open_form(browser, url(model, "add"))

    assert "metadata" in form
    assert "version" not in form


@pytest.mark.parametrize("model", TABLES)
def test_every_column_is_on_the_page_of_a_row_or_hidden_on_purpose(browser: Client, model: type[models.Model]) -> None:
    hidden_columns: dict[Any, set[str]] = {Session: {"session_token_hash"}, AuditLog: {"checksum", "signature"}}
    address = url(model, "change", make(model))
    with CaptureQueriesContext(connection) as captured:
        response = browser.get(address)

    fields = {name for fieldset in response.context["adminform"] for line in fieldset for name in line.fields}
    # JSON of an event is shown as the text that is stored.
    shown = {name.removeprefix("stored_") for name in fields}

    names = {field.attname if model is AuditLog else field.name for field in model._meta.concrete_fields}
    assert shown == names - hidden_columns.get(model, set())
    assert len(captured) <= QUERIES_OF_A_ROW


@pytest.mark.parametrize("model", COMMON)
def test_the_history_of_a_row_opens(browser: Client, model: type[models.Model]) -> None:
    row = make(model)
    browser.post(url(model, "change", row), open_form(browser, url(model, "change", row)))

    response = browser.get(url(model, "history", row))

    assert response.status_code == 200
    assert len(response.context["action_list"]) == 1


@pytest.mark.parametrize("model", TABLES)
def test_any_text_can_be_searched(browser: Client, model: type[models.Model]) -> None:
    make(model)

    for text in ("'; DROP TABLE x; -- \"\\ % _ \\%", "%" * 10_000):
        assert browser.get(url(model, "changelist"), {"q": text}).status_code == 200


@pytest.mark.parametrize("model", TABLES)
def test_a_search_of_too_many_words_says_so(browser: Client, model: type[models.Model]) -> None:
    make(model)

    response = browser.get(url(model, "changelist"), {"q": "the " * (MOST_WORDS + 1)})

    assert response.context["cl"].result_count == 0
    assert any(str(MOST_WORDS) in text for text in told(response))


def test_foreign_keys_of_forms_are_chosen_by_autocomplete() -> None:
    for model in EDITABLE:
        foreign_keys = {field.name for field in model._meta.concrete_fields if field.many_to_one}
        assert foreign_keys == set(admin.site.get_model_admin(model).autocomplete_fields)


def test_nobody_gets_in_without_signing_in(client: Client) -> None:
    for model in TABLES:
        assert client.get(url(model, "changelist")).status_code == 302


def test_an_empty_list_says_what_to_do(browser: Client) -> None:
    assert "load_directory_roles" in browser.get(url(DirectoryRole, "changelist")).content.decode()

    make(DirectoryRole)
    page = browser.get(url(DirectoryRole, "changelist"), {"is_enabled__exact": "0"}).content.decode()
    assert '<a href="?">Show all of them</a>' in page


def test_times_are_shown_with_their_zone(browser: Client) -> None:
    assert "2026-03-17 14:23:45 UTC" in browser.get(url(Session, "change", make(Session))).content.decode()
