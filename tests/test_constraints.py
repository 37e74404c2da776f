"""Every rule of the schema holds in the database: illegal rows come by plain SQL, past all Python, and are refused."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, connection, models, transaction
from psycopg2.errors import CheckViolation, UniqueViolation

from pam.models import (
    AuditLog,
    Credential,
    CredentialRotation,
    DirectoryRole,
    DirectoryRoleConflict,
    PrivilegedUser,
    RoleAssignment,
    ServiceIdentity,
    Session,
)
from pam.postgres.uuid7 import uuid7_at
from tests.support.rows import CLOCK, TABLES, insert, make

pytestmark = pytest.mark.django_db

Columns = dict[str, Any]

BEFORE = CLOCK - timedelta(microseconds=1)
AFTER = CLOCK + timedelta(days=1)
LOW = UUID("00000000-0000-4000-8000-000000000001")
HIGH = UUID("ffffffff-ffff-4fff-bfff-ffffffffffff")


def no_choice(*columns: str) -> dict[str, list[Columns]]:
    """A value that is no choice is refused by the CHECK named after its column."""
    return {column: [{column: "bogus"}, {column: ""}] for column in columns}


def no_score(*columns: str) -> dict[str, list[Columns]]:
    return {column: [{column: -1}, {column: 101}] for column in columns}


def negative(*columns: str) -> dict[str, list[Columns]]:
    return {column: [{column: -1}] for column in columns}


def not_positive(*columns: str) -> dict[str, list[Columns]]:
    return {column: [{column: 0}, {column: -1}] for column in columns}


def mixed_case(*columns: str) -> dict[str, list[Columns]]:
    return {column: [{column: "Ann@contoso.example"}] for column in columns}


WRONG_TIMES: list[Columns] = [
    {"id": uuid7_at(CLOCK + timedelta(milliseconds=1))},
    {"id": uuid7_at(CLOCK - timedelta(milliseconds=1))},
]
COMMON: dict[str, list[Columns]] = {
    "id_time": [*WRONG_TIMES, {"created_at": datetime(1969, 12, 31, 23, 59, tzinfo=UTC)}],
    "deleted": [{"is_deleted": True}, {"deleted_at": CLOCK}],
    **no_choice("classification"),
    **not_positive("version"),
}
EMERGENCY = {"is_emergency": True, "emergency_justification": "Tenant is down", "expires_at": AFTER}
REVOKED = {"is_active": False, "revoked_at": AFTER, "revoked_by": "bob@contoso.example"}

# For each table and each of its CHECKs (without the prefix `ck_<table>_`), rows that differ from a legal one by this.
ILLEGAL: dict[type[models.Model], dict[str, list[Columns]]] = {
    PrivilegedUser: {
        **COMMON,
        **mixed_case("upn", "source_user_upn", "manager_upn"),
        **negative("tap_count", "sign_in_count", "failed_sign_in_count"),
        **no_score("risk_score"),
        **no_choice("risk_level", "compliance_status"),
        "certification": [{"certification_required": True}],
    },
    DirectoryRole: {
        **COMMON,
        **no_score("risk_score"),
        **not_positive("max_assignment_duration_days", "certification_frequency_days"),
        **negative("assignment_count", "total_assignments"),
        "average_assignment_duration_days": [
            {"average_assignment_duration_days": number} for number in (-0.5, float("nan"), float("inf"))
        ],
        **no_choice("risk_level"),
    },
    DirectoryRoleConflict: {
        "id_time": WRONG_TIMES,
        "not_itself": [{"role_id": LOW, "conflicting_role_id": LOW}],
        "ordered": [{"role_id": HIGH, "conflicting_role_id": LOW}],
    },
    ServiceIdentity: {
        **COMMON,
        **mixed_case("upn", "owner_upn"),
        **no_score("risk_score"),
        **not_positive("credential_rotation_frequency_days"),
        **negative("usage_count", "api_calls_last_30_days"),
        **no_choice("identity_type", "environment", "criticality", "data_classification", "status"),
        **no_choice("risk_level", "compliance_status"),
        "expires_at": [{"expires_at": CLOCK}, {"expires_at": BEFORE}],
        "principal_has_client": [{"identity_type": "service_principal"}],
        "workload_has_issuer": [
            {"identity_type": "workload_identity"},
            {"identity_type": "workload_identity", "oidc_issuer_url": ""},
            {"identity_type": "workload_identity", "oidc_issuer_url": " \n"},
        ],
    },
    Credential: {
        **COMMON,
        **no_score("strength_score"),
        **not_positive("rotation_frequency_days"),
        **negative("use_count", "rotation_count", "notification_days_before_expiry"),
        **no_choice("credential_type", "status"),
        "expires_at": [{"expires_at": CLOCK}, {"expires_at": BEFORE}],
    },
    CredentialRotation: {
        **COMMON,
        **negative("retry_count", "max_retries"),
        **no_choice("status", "rotation_type", "verification_status"),
        "retries": [{"retry_count": 4}],
        "next_retry_at": [{"next_retry_at": AFTER}, {"next_retry_at": AFTER, "status": "cancelled"}],
        "completed": [{"status": "completed"}],
        "ended": [{"completed_at": CLOCK}, {"completed_at": CLOCK, "status": "in_progress"}],
        "completed_at": [{"started_at": CLOCK, "completed_at": BEFORE, "status": "failed"}],
    },
    RoleAssignment: {
        **COMMON,
        **no_score("risk_score"),
        **not_positive("auto_revoke_hours"),
        **no_choice("sync_status", "assignment_source"),
        "expires_at": [{"expires_at": CLOCK}, {"expires_at": BEFORE}],
        "holder": [{"user_id": None}, {"service_identity_id": LOW}],
        "revoked": [
            {**REVOKED, "is_active": True},
            {**REVOKED, "revoked_by": None},
            {**REVOKED, "revoked_at": None},
        ],
        "revoked_at": [{**REVOKED, "revoked_at": BEFORE}],
        "certification": [{"requires_certification": True}],
        "emergency": [
            {**EMERGENCY, "emergency_justification": None},
            {**EMERGENCY, "emergency_justification": " \n"},
            {**EMERGENCY, "expires_at": None},
            {**EMERGENCY, "expires_at": None, "auto_revoke_hours": 4},
        ],
    },
    Session: {
        **COMMON,
        **no_score("risk_score", "anomaly_score"),
        **negative("concurrent_session_count", "request_count"),
        **negative("privileged_operations_count", "failed_operations_count"),
        **no_choice("authentication_method"),
        "session_token_hash": [
            {"session_token_hash": "A" * 64},
            {"session_token_hash": "a" * 63},
            {"session_token_hash": "the token itself"},
        ],
        "termination_reason": [{"is_active": False, "terminated_at": AFTER, "termination_reason": "bored"}],
        "terminated": [
            {"is_active": False},
            {"terminated_at": AFTER},
            {"termination_reason": "logout"},
        ],
        "expires_at": [{"expires_at": CLOCK}, {"expires_at": BEFORE}],
        "terminated_at": [{"is_active": False, "terminated_at": BEFORE}],
    },
    AuditLog: {
        "id_time": WRONG_TIMES,
        **mixed_case("actor_upn"),
        **no_score("risk_score", "anomaly_score"),
        **negative("duration_ms"),
        **no_choice("event_type", "result", "severity"),
        "checksum": [{"checksum": "F" * 64}, {"checksum": "f" * 63}],
    },
}

LEGAL: list[tuple[type[models.Model], Columns]] = [
    *((model, {"id": uuid4()}) for model in TABLES),
    (PrivilegedUser, {"id": uuid4(), "created_at": datetime(1969, 7, 20, 20, 17, tzinfo=UTC)}),
    (PrivilegedUser, {"certification_required": True, "next_certification_date": AFTER}),
    (PrivilegedUser, {"risk_score": 0}),
    (PrivilegedUser, {"risk_score": 100, "is_deleted": True, "deleted_at": AFTER}),
    (ServiceIdentity, {"identity_type": "service_principal", "client_id": uuid4()}),
    (ServiceIdentity, {"identity_type": "workload_identity", "oidc_issuer_url": "https://issuer.example"}),
    (CredentialRotation, {"retry_count": 3, "status": "failed", "next_retry_at": AFTER}),
    (CredentialRotation, {"started_at": CLOCK, "completed_at": CLOCK, "status": "completed"}),
    (RoleAssignment, EMERGENCY),
    (CredentialRotation, {"started_at": CLOCK, "completed_at": CLOCK, "status": "failed"}),
    (CredentialRotation, {"completed_at": CLOCK, "status": "cancelled"}),
    (CredentialRotation, {"status": "cancelled"}),
    (DirectoryRole, {"average_assignment_duration_days": 0.0}),
    (RoleAssignment, REVOKED),
    (RoleAssignment, {**REVOKED, "revoked_at": CLOCK}),
    (RoleAssignment, {"is_active": False}),
    (Session, {"is_active": False, "terminated_at": CLOCK}),
    (Session, {"is_active": False, "terminated_at": AFTER, "termination_reason": "admin", "anomaly_score": 0.37}),
    (AuditLog, {"checksum": "0123456789abcdef" * 4}),
]


def illegal_rows() -> list[Any]:
    return [
        pytest.param(model, f"ck_{model._meta.db_table}_{rule}", columns, id=f"{model.__name__}-{rule}-{number}")
        for model, rules in ILLEGAL.items()
        for rule, rows in rules.items()
        for number, columns in enumerate(rows)
    ]


@pytest.mark.parametrize(("model", "name", "columns"), illegal_rows())
def test_an_illegal_row_is_refused_by_name(model: type[models.Model], name: str, columns: Columns) -> None:
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        insert(model, **columns)

    assert isinstance(refused.value.__cause__, CheckViolation)
    assert refused.value.__cause__.diag.constraint_name == name


@pytest.mark.parametrize(("model", "columns"), LEGAL)
def test_a_legal_row_at_the_edge_of_a_rule_is_let_through(model: type[models.Model], columns: Columns) -> None:
    key = insert(model, **columns)

    assert model._base_manager.filter(pk=key).exists()


def test_every_check_of_the_database_has_an_illegal_row() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid = ANY (%s::regclass[])",
            [[model._meta.db_table for model in TABLES]],
        )
        names = {name for (name,) in cursor.fetchall()}

    assert names == {f"ck_{model._meta.db_table}_{rule}" for model, rules in ILLEGAL.items() for rule in rules}


@pytest.mark.parametrize(
    ("model", "rule", "columns"),
    [
        (PrivilegedUser, "upn", {"upn": "ann@contoso.example"}),
        (PrivilegedUser, "source_user_id", {"source_user_id": "source-of-ann"}),
        (PrivilegedUser, "azure_object_id", {"azure_object_id": LOW}),
        (DirectoryRole, "template_id", {"template_id": LOW}),
        (ServiceIdentity, "azure_object_id", {"azure_object_id": LOW}),
        (ServiceIdentity, "client_id", {"client_id": LOW}),
        (ServiceIdentity, "upn", {"upn": "backup@contoso.example"}),
        (Credential, "vault_path_vault_version", {"vault_path": "kv/a", "vault_version": "1"}),
        (Credential, "vault_path_vault_version", {"vault_path": "kv/a", "vault_version": None}),
        (RoleAssignment, "azure_assignment_id", {"azure_assignment_id": "lAPpYvVpN0KRkAEhdxReE"}),
        (Session, "session_token_hash", {"session_token_hash": "0" * 64}),
    ],
)
def test_a_second_row_of_a_unique_name_is_refused(model: type[models.Model], rule: str, columns: Columns) -> None:
    insert(model, **columns)

    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        insert(model, **columns)

    assert isinstance(refused.value.__cause__, UniqueViolation)
    # Over partitions the server names the index of the month, which is called after the table's.
    assert (refused.value.__cause__.diag.constraint_name or "").startswith(f"uq_{model._meta.db_table}_{rule}")


def test_a_vault_path_may_have_several_versions() -> None:
    insert(Credential, vault_path="kv/a", vault_version="1")
    insert(Credential, vault_path="kv/a", vault_version="2")

    assert Credential.objects.filter(vault_path="kv/a").count() == 2


def test_a_conflict_between_two_roles_is_stored_once() -> None:
    conflict = make(DirectoryRoleConflict)

    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        insert(DirectoryRoleConflict, role_id=conflict.role_id, conflicting_role_id=conflict.conflicting_role_id)

    assert isinstance(refused.value.__cause__, UniqueViolation)
    assert refused.value.__cause__.diag.constraint_name == "uq_directory_role_conflicts_pair"
