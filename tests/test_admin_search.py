"""The admin's search finds what the trigram indexes serve, in lists and in autocomplete."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
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
from tests.support.admin import found, sign_in
from tests.support.rows import make

pytestmark = pytest.mark.django_db

# As many rows as it takes for an index to be worth while; a word of one of them, and of no other.
ROWS = 4000
WORD = "zzyzx"
FILLED: dict[Any, str] = {
    AuditLog: """
        INSERT INTO audit_logs (id, event_type, action, result, description, details)
        SELECT gen_random_uuid(), 'authentication', 'sign_in', 'success', 'Event ' || md5(n::text), md5(n::text)
        FROM generate_series(1, %s) n
        """,
    ServiceIdentity: """
        INSERT INTO service_identities (id, name, identity_type, description)
        SELECT gen_random_uuid(), 'backup ' || md5(n::text), 'service_account', md5(n::text)
        FROM generate_series(1, %s) n
        """,
    DirectoryRole: """
        INSERT INTO directory_roles (id, template_id, role_name, category, description)
        SELECT gen_random_uuid(), gen_random_uuid(), 'Role ' || md5(n::text), 'reports', md5(n::text)
        FROM generate_series(1, %s) n
        """,
}
INDEX: dict[Any, str] = {
    AuditLog: "ix_audit_logs_search_gin",
    ServiceIdentity: "ix_service_identities_search_gin",
    DirectoryRole: "ix_directory_roles_search_gin",
}


@pytest.fixture
def browser() -> Client:
    return sign_in()


def autocomplete(browser: Client, model: type[models.Model], field: str, term: str) -> Any:
    """What is offered while somebody types into a foreign key's field."""
    parameters = {
        "app_label": "pam",
        "model_name": str(model._meta.model_name),
        "field_name": field,
        "term": term,
    }
    response = browser.get("/admin/autocomplete/", parameters)
    assert response.status_code == 200, response
    return response.json()["results"]


def indexes_of(plan: dict[str, Any]) -> Iterator[str]:
    if "Index Name" in plan:
        yield plan["Index Name"]
    for child in plan.get("Plans", []):
        yield from indexes_of(child)


def explained(sql: str) -> set[str]:
    """The indexes that the planner chooses for a statement."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}")
        (answer,) = cursor.fetchone()
    plans = json.loads(answer) if isinstance(answer, str) else answer
    return set(indexes_of(plans[0]["Plan"]))


def fill(model: type[models.Model], **columns: Any) -> models.Model:
    with connection.cursor() as cursor:
        cursor.execute(FILLED[model], [ROWS])
    row = make(model, **columns)
    with connection.cursor() as cursor:
        # As autovacuum does after such a load: no statistics are missing, nothing waits to get into the index.
        cursor.execute(
            "SELECT gin_clean_pending_list(oid) FROM pg_class WHERE relkind = 'i' AND (oid = %s::regclass"
            " OR oid IN (SELECT relid FROM pg_partition_tree(%s::regclass)))",
            [INDEX[model], INDEX[model]],
        )
        cursor.execute(f"ANALYZE {model._meta.db_table}")
    return row


def of_parents(indexes: set[str]) -> set[str]:
    """The names of the parents' indexes, after which those of months are called.

    Not of the default partition: empty but for what tests have rolled back, it is read in whatever way.
    """
    return {re.sub(r"_\d{4}_\d{2}$", "", name) for name in indexes if not name.endswith("_default")}


@pytest.mark.parametrize("model", FILLED)
def test_a_search_uses_the_trigram_index(browser: Client, model: type[models.Model]) -> None:
    row = fill(model, description=f"of {WORD}")

    with CaptureQueriesContext(connection) as captured:
        assert found(browser, model, q=WORD.upper()) == [row]

    asked = [query["sql"] for query in captured if "ILIKE" in query["sql"]]
    searches = [sql for sql in asked if not sql.startswith("EXPLAIN")]
    assert len(searches) == 1, "the rows, which are counted by being read"
    for sql in searches:
        assert of_parents(explained(sql)) == {INDEX[model]}


def test_autocomplete_uses_the_trigram_index(browser: Client) -> None:
    row = fill(ServiceIdentity, name=WORD)

    with CaptureQueriesContext(connection) as captured:
        offers = autocomplete(browser, Credential, "service_identity", WORD)

    assert [offer["id"] for offer in offers] == [str(row.pk)]
    searches = [query["sql"] for query in captured if "ILIKE" in query["sql"]]
    assert searches
    for sql in searches:
        assert explained(sql) == {INDEX[ServiceIdentity]}


def test_each_word_must_be_found_in_any_case(browser: Client) -> None:
    right = make(AuditLog, description="Ann reset a Password", details="over the phone")
    make(AuditLog, description="Ann signed in")

    assert found(browser, AuditLog, q="PHONE password ann") == [right]


def test_wildcards_are_ordinary_characters(browser: Client) -> None:
    right = make(ServiceIdentity, name="100%_sure")
    make(ServiceIdentity, name="100 or so, I am sure")

    assert found(browser, ServiceIdentity, q="100%_s") == [right]


def test_assignments_are_found_by_role_and_holder(browser: Client) -> None:
    role = make(DirectoryRole, role_name="Security Reader")
    right = make(RoleAssignment, directory_role=role, user=make(PrivilegedUser, display_name="Ann Example"))
    make(RoleAssignment, directory_role=role, user=make(PrivilegedUser, display_name="Bob", upn="b@contoso.example"))
    runs = make(ServiceIdentity, name="nightly backup")
    by_identity = make(RoleAssignment, directory_role=role, user=None, service_identity=runs)

    assert found(browser, RoleAssignment, q="reader ann") == [right]
    assert found(browser, RoleAssignment, q="nightly") == [by_identity]


def test_sessions_and_rotations_are_found_by_what_they_belong_to(browser: Client) -> None:
    session = make(Session, user=make(PrivilegedUser, upn="zoe@contoso.example"))
    make(Session)
    rotation = make(CredentialRotation, credential=make(Credential, name="signing key"))
    make(CredentialRotation)

    assert found(browser, Session, q="zoe") == [session]
    assert found(browser, CredentialRotation, q="signing") == [rotation]


def test_sessions_of_a_deleted_user_are_still_found(browser: Client) -> None:
    session = make(Session, user=make(PrivilegedUser, upn="zoe@contoso.example"))
    session.user.soft_delete()

    assert found(browser, Session, q="zoe") == [session]


def test_autocomplete_offers_no_deleted_rows(browser: Client) -> None:
    alive = make(PrivilegedUser, display_name="Ann One")
    make(PrivilegedUser, display_name="Ann Two").soft_delete()

    offers = autocomplete(browser, RoleAssignment, "user", "ann")

    assert [offer["id"] for offer in offers] == [str(alive.pk)]


@pytest.mark.parametrize("term", ["'\"\\%_", "x" * 10_000, "a " * 5000])
def test_anything_can_be_typed_into_autocomplete(browser: Client, term: str) -> None:
    make(PrivilegedUser)

    assert autocomplete(browser, RoleAssignment, "user", term) == []
