"""Hostile texts in every text field of every model: shown as they are or refused, never run, and never an error.

A form is sent with the text in all its fields. Those that complain get back what they had, and the rest must be saved.
"""

import json
from html import unescape
from typing import Any

import pytest
from django import forms
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.contrib.postgres.forms import SimpleArrayField
from django.db import DataError, models
from django.test import Client

from pam.models import AuditLog, PrivilegedUser, RoleAssignment, Session
from pam.models.reports import REPORTS
from pam.postgres.fields import HexDigestField
from tests.support.admin import errors, open_form, open_page, sign_in, url
from tests.support.rows import CLOCK, build, make
from tests.support.staff import KEPT, TABLES

pytestmark = [pytest.mark.django_db, pytest.mark.beside_15]

SCRIPT = "<script>alert(1)</script>"
TEXTS = {
    "script": SCRIPT,
    "attribute": "\"'><img src=x onerror=alert(1)>",
    "template": "{{ request.user }}{% now 'Y' %}%s%(x)s{0}",
    "formula": "=cmd|' /C calc'!A0",
    "right-to-left": "\u202egnp.exe\u202c\u2066x\u2069",
    "long": "x" * 10_000,
    "NUL": "a\0b",
}
# A page that holds one of these runs what was typed.
RUN = ("<script>alert", "<img src=x")
ACCOUNTS: tuple[type[models.Model], ...] = (User, Group)
# Who revoked, and why it ended, is said only of what has ended.
ENDED: dict[type[models.Model], dict[str, Any]] = {
    RoleAssignment: {"is_active": False, "revoked_at": CLOCK, "revoked_by": "bob@contoso.example"},
    Session: {"is_active": False, "terminated_at": CLOCK},
}
hostile = pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)


@pytest.fixture
def browser() -> Client:
    return sign_in()


def typed(field: forms.Field, text: str) -> str:
    """The text as somebody types it into this field; a field for JSON takes it as part of a document."""
    return json.dumps({"said": [text]}) if isinstance(field, forms.JSONField) else text


def text_fields(page: Any) -> dict[str, forms.Field]:
    """The fields of a form that take any text, by name."""
    kinds = (forms.CharField, forms.JSONField, SimpleArrayField)
    fields = page.context["adminform"].form.fields
    return {name: field for name, field in fields.items() if isinstance(field, kinds) and not field.disabled}


def shown(browser: Client, address: str) -> str:
    """What a page says; it is there, and runs nothing that somebody typed."""
    response = browser.get(address)
    assert response.status_code == 200, address
    page: str = response.content.decode()
    assert not [mark for mark in RUN if mark in page], address
    return unescape(page)


def pages_of(row: models.Model) -> list[str]:
    """Where this row is shown."""
    pages = [url(type(row), page, row) for page in ("change", "history")]
    return [
        *pages,
        url(type(row), "changelist"),
        *([] if isinstance(row, AuditLog) else [url(type(row), "delete", row)]),
    ]


def new(model: type[models.Model]) -> models.Model:
    """A row whose form takes a text in each field."""
    if model in ACCOUNTS:
        return model._base_manager.create(**{"username" if model is User else "name": "somebody"})
    return make(model, **ENDED.get(model, {}))


def holding(model: type[models.Model], text: str) -> models.Model:
    """A row that was not typed but recorded, by a program, with the text in each of its columns that takes it."""
    row = build(model, **ENDED.get(model, {}))
    for field in row._meta.concrete_fields:
        free = isinstance(field, models.CharField | models.TextField) and not isinstance(field, HexDigestField)
        if free and not field.choices and not field.unique:
            setattr(row, field.attname, text[: field.max_length])
        elif isinstance(field, models.JSONField):
            setattr(row, field.attname, {text: [text]})
    return row


def test_no_model_is_forgotten() -> None:
    assert set(admin.site._registry) >= {*KEPT, *REPORTS, *ACCOUNTS}


@hostile
@pytest.mark.parametrize("model", [*TABLES, *ACCOUNTS], ids=lambda model: model.__name__)
def test_a_text_that_is_typed_is_refused_beside_its_field_or_shown(
    browser: Client, model: type[models.Model], text: str
) -> None:
    row = new(model)
    address = url(model, "change", row)
    untouched, fields = open_form(browser, address), text_fields(browser.get(address))
    before = {name: getattr(row, name) for name in fields}
    sent = {name: typed(field, text) for name, field in fields.items()}

    answer = browser.post(address, {**untouched, **sent})
    if answer.status_code == 200:
        refused = answer.context["adminform"].form.errors
        assert refused.keys() <= fields.keys(), errors(answer)
        assert not [mark for mark in RUN if mark in answer.content.decode()]
        sent = {name: value for name, value in sent.items() if name not in refused}
        answer = browser.post(address, {**untouched, **sent})
    assert answer.status_code == 302, errors(answer)

    row.refresh_from_db()
    if "\0" in text:
        assert {name: getattr(row, name) for name in fields} == before
        return
    pages = "".join(shown(browser, page) for page in pages_of(row))
    for name, value in sent.items():
        stored = getattr(row, name)
        if isinstance(fields[name], forms.JSONField):
            assert stored == json.loads(value), name
        elif isinstance(fields[name], SimpleArrayField):
            assert stored == [value], name
        else:
            assert stored in {value, value.lower()}, name
            assert stored in pages, name
    for event in AuditLog.objects.all():
        shown(browser, url(AuditLog, "change", event))


@hostile
@pytest.mark.parametrize("model", KEPT, ids=lambda model: model.__name__)
def test_a_text_that_a_program_wrote_is_refused_by_the_database_or_shown(
    browser: Client, model: type[models.Model], text: str
) -> None:
    row = holding(model, text)
    if "\0" in text:
        with pytest.raises((ValueError, DataError)):
            row.save()
        return
    row.save()
    for page in pages_of(row):
        shown(browser, page)


@hostile
def test_reports_show_what_their_tables_hold(browser: Client, text: str) -> None:
    if "\0" not in text:
        user = holding(PrivilegedUser, text)
        user.save()
        make(RoleAssignment, user=user)
    for report in REPORTS:
        report.refresh()
        shown(browser, url(report, "changelist"))


@hostile
def test_a_search_for_it_finds_what_holds_it(browser: Client, text: str) -> None:
    user = make(PrivilegedUser, display_name="Ann")
    if "\0" not in text:
        user.display_name = text[:255]
        user.save()
    for model in (*KEPT, *ACCOUNTS):
        response = browser.get(url(model, "changelist"), {"q": text[:255]})
        assert response.status_code == (400 if "\0" in text else 200), model
        assert not [mark for mark in RUN if mark in response.content.decode()]
        if model is PrivilegedUser and "\0" not in text:
            assert list(response.context["cl"].result_list) == [user]


@hostile
def test_a_reason_is_kept_as_it_was_typed_or_refused(browser: Client, text: str) -> None:
    row = make(RoleAssignment)
    data = {"action": "revoke", "_selected_action": str(row.pk), "index": "0"}
    address = url(RoleAssignment, "changelist")
    page = browser.post(address, data)
    answer = browser.post(address, {**open_page(page), "reason": text}, follow=True)
    assert answer.status_code == 200
    assert not [mark for mark in RUN if mark in answer.content.decode()]

    row.refresh_from_db()
    fits = "\0" not in text and len(text) <= 1000
    assert row.is_active is not fits
    for event in AuditLog.objects.all():
        assert text in shown(browser, url(AuditLog, "change", event))
    assert AuditLog.objects.exists() is fits
