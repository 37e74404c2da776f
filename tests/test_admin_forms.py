"""What a form may and may not write: rules broken are complaints beside the form, and what nobody touched stays."""

from datetime import timedelta
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.contrib import admin
from django.db import models
from django.test import Client

from pam.models import (
    Credential,
    CredentialRotation,
    DirectoryRole,
    PrivilegedUser,
    RoleAssignment,
    ServiceIdentity,
    Session,
)
from tests.support.admin import errors, open_form, sign_in, url
from tests.support.rows import CLOCK, make

pytestmark = [pytest.mark.django_db, pytest.mark.once]

BOOKKEEPING = {"updated_at", "updated_by", "version"}


@pytest.fixture
def browser() -> Client:
    return sign_in()


def add(browser: Client, model: type[models.Model], **values: Any) -> Any:
    address = url(model, "add")
    return browser.post(address, {**open_form(browser, address), **values})


def change(browser: Client, row: models.Model, **values: Any) -> Any:
    address = url(type(row), "change", row)
    return browser.post(address, {**open_form(browser, address), **values})


NEW_USER = {
    "upn": "Ann@Contoso.example",
    "display_name": "Ann",
    "source_user_id": "1",
    "source_user_upn": "a@b.example",
}


def test_a_row_is_added_with_the_name_of_who_did_it(browser: Client) -> None:
    assert errors(add(browser, PrivilegedUser, **NEW_USER)) == ""

    user = PrivilegedUser.objects.get()
    assert user.upn == "ann@contoso.example"
    assert (user.version, user.created_by, user.updated_by) == (1, "operator", "operator")
    assert (user.email, user.department, user.metadata) == (None, None, {})


def test_a_new_row_has_no_version_but_the_first(browser: Client) -> None:
    add(browser, PrivilegedUser, **NEW_USER, version="99")

    assert PrivilegedUser.objects.get().version == 1


def test_every_table_can_be_added_to(browser: Client) -> None:
    assert errors(add(browser, DirectoryRole, role_name="Reader", template_id=uuid4(), category="reports")) == ""
    assert errors(add(browser, ServiceIdentity, name="backup", identity_type="service_account")) == ""
    identity = ServiceIdentity.objects.get()
    secret = {"name": "key", "credential_type": "api_key", "vault_path": "kv/a", "service_identity": identity.pk}
    assert errors(add(browser, Credential, **secret)) == ""
    day = {"scheduled_date_0": "2026-03-17", "scheduled_date_1": "12:00:00"}
    assert errors(add(browser, CredentialRotation, credential=Credential.objects.get().pk, **day)) == ""
    role = DirectoryRole.objects.get()
    holder = {"service_identity": identity.pk, "assigned_by": "bob@contoso.example"}
    assert errors(add(browser, RoleAssignment, directory_role=role.pk, **holder)) == ""

    assert RoleAssignment.objects.get().justification is None, "text that was left out is unknown, not empty"


@pytest.mark.parametrize(
    "model",
    [PrivilegedUser, DirectoryRole, ServiceIdentity, Credential, CredentialRotation, RoleAssignment, Session],
)
def test_a_form_that_nobody_touched_changes_nothing(browser: Client, model: Any) -> None:
    """Not even the microseconds of times, which a form does not show, nor NULL into an empty text."""
    row = make(model, metadata={"a": [1, None]}, retention_date=CLOCK, compliance_tags=["one"])
    before = model.objects.values().get(pk=row.pk)

    assert errors(change(browser, row)) == ""

    after = model.objects.values().get(pk=row.pk)
    assert {name for name in after if after[name] != before[name]} == BOOKKEEPING


def test_an_emptied_field_is_null_or_its_default(browser: Client) -> None:
    role = make(DirectoryRole, description="some", subcategory="some", permissions=["some"], metadata={"some": 1})

    assert errors(change(browser, role, description="", subcategory="", permissions="", metadata="")) == ""

    role.refresh_from_db()
    assert (role.description, role.subcategory, role.permissions, role.metadata) == (None, None, [], {})


def test_a_time_that_somebody_changed_is_saved(browser: Client) -> None:
    credential = make(Credential, expires_at=CLOCK + timedelta(days=1))

    assert errors(change(browser, credential, expires_at_0="2027-01-01", expires_at_1="00:00:00")) == ""

    credential.refresh_from_db()
    assert credential.expires_at is not None
    assert credential.expires_at.isoformat() == "2027-01-01T00:00:00+00:00"


def test_rules_that_are_broken_are_complaints(browser: Client) -> None:
    user = make(PrivilegedUser)
    other = make(PrivilegedUser, azure_object_id=uuid4())
    assignment = make(RoleAssignment, user=user)
    credential = make(Credential)
    identity = make(ServiceIdentity)
    request = browser.get("/admin/").wsgi_request
    rows: list[Any] = [user, assignment, credential, identity]
    sent = {row: open_form(browser, url(type(row), "change", row)) for row in rows}

    def complaints(row: Any, values: dict[str, Any]) -> str:
        fresh = type(row).objects.get(pk=row.pk)
        form = admin.site.get_model_admin(type(row)).get_form(request, fresh, change=True)
        return str(form({**sent[row], **values}, instance=fresh).errors)

    cases: list[tuple[Any, dict[str, Any], str]] = [
        (user, {"risk_score": "101"}, "0 to 100"),
        (user, {"risk_score": "99999999999"}, "less than or equal"),
        (user, {"upn": other.upn}, "already exists"),
        (user, {"azure_object_id": other.azure_object_id}, "already exists"),
        (user, {"certification_required": "on"}, "next date"),
        (user, {"metadata": "{"}, "valid JSON"),
        (assignment, {"service_identity": identity.pk}, "Exactly one"),
        (assignment, {"user": ""}, "Exactly one"),
        (assignment, {"is_emergency": "on"}, "justification"),
        (assignment, {"user": uuid4()}, "valid choice"),
        (identity, {"identity_type": "service_principal"}, "client id"),
        (identity, {"ip_restrictions": "10.0.0.0/8,10.0.0.1/8"}, "Item 2 "),
        (identity, {"ip_restrictions": "10.0.0.0/8,10.0.0.1/8"}, "10.0.0.1/8 has host bits set"),
        (identity, {"ip_restrictions": "50%"}, "50% is not a network"),
        (credential, {"rotation_frequency_days": "0"}, "more than 0"),
        # created_at is on the form for the eyes only; its rules are asked all the same.
        (credential, {"expires_at_0": "2020-01-01", "expires_at_1": "00:00:00"}, "after created_at"),
    ]
    for row, values, complaint in cases:
        assert complaint in complaints(row, values), values
    assert complaints(user, {}) == ""


def test_a_second_active_assignment_is_a_complaint(browser: Client) -> None:
    first = make(RoleAssignment)
    data = {"directory_role": first.directory_role_id, "user": first.user_id, "assigned_by": "bob@contoso.example"}

    response = add(browser, RoleAssignment, **data)

    assert "holds this role already" in errors(response)
    assert RoleAssignment.objects.count() == 1


def test_the_name_of_a_deleted_row_is_a_complaint(browser: Client) -> None:
    make(PrivilegedUser, upn="ann@contoso.example").soft_delete()

    response = add(browser, PrivilegedUser, **NEW_USER)

    assert "restore it instead" in errors(response)
    assert PrivilegedUser.all_objects.count() == 1


@pytest.mark.parametrize("metadata", ['{"a": "\\u0000"}', "NaN", '"\\ud800"'])
def test_json_that_postgresql_cannot_store_is_a_message(browser: Client, metadata: str) -> None:
    user = make(PrivilegedUser)

    response = change(browser, user, metadata=metadata)

    assert response.status_code == 302
    page = browser.get(response.url)
    assert "The database refused this" in page.content.decode()
    assert PrivilegedUser.objects.get().version == 1


def test_a_reference_to_a_row_deleted_since_is_kept(browser: Client) -> None:
    assignment = make(RoleAssignment)
    assert assignment.user is not None
    assignment.user.soft_delete()

    assert errors(change(browser, assignment, ticket_number="CHG-1")) == ""

    assignment.refresh_from_db()
    assert (assignment.ticket_number, assignment.user.is_deleted) == ("CHG-1", True)


@pytest.mark.parametrize(
    "typed",
    ["9" * 5_000, f"[-{'9' * 5_000}]", "[" * 51 + "]" * 51, '{"a":' * 900 + "1" + "}" * 900, "[" * 100_000],
    ids=["number", "number within", "51 levels", "900 levels", "100,000 levels"],
)
def test_json_that_no_page_could_show_is_refused_beside_its_field(browser: Client, typed: str) -> None:
    row = make(PrivilegedUser, metadata={"a": 1})
    response = change(browser, row, metadata=typed, department="Audit")
    assert "At most 50 levels" in errors(response)
    assert typed in unescape(response.content.decode()), "to be mended"
    row.refresh_from_db()
    assert (row.metadata, row.department) == ({"a": 1}, None)
    assert errors(change(browser, row, metadata="[" * 50 + "9" * 4_300 + "]" * 50)) == ""
    assert open_form(browser, url(PrivilegedUser, "change", row))["metadata"].startswith("[" * 50 + "9")
