"""What phase 1 makes of the models in PostgreSQL: stated names, the columns of each index, the types that matter."""

import pytest
from django.db import connection

from tests.support.rows import TABLES

pytestmark = pytest.mark.django_db

# The indexes of phase 1 and of the lists, without the prefix `ix_<table>_`, and their columns.
INDEXES = {
    "privileged_users": {
        "active_department": "is_active department",
        "risk_level_score": "risk_level risk_score",
        "compliance_status": "compliance_status last_compliance_check",
        "activity": "last_sign_in last_activity",
        "active_upn": "is_active upn",
        "display_name": "display_name",
        "email": "email",
        "source_user_upn": "source_user_upn",
        "manager_upn": "manager_upn",
        "list": "is_deleted upn id",
        "list_risk": "is_deleted risk_level upn",
        "list_compliance": "is_deleted compliance_status upn",
    },
    "directory_roles": {
        "category_privileged": "category is_privileged",
        "risk_level_score": "risk_level risk_score",
        "enabled_category": "is_enabled category",
        "assignment_count": "assignment_count",
        "role_name": "role_name",
    },
    "directory_role_conflicts": {"conflicting_role": "conflicting_role_id"},
    "service_identities": {
        "type_status": "identity_type status",
        "env_dept": "environment department",
        "risk_level_score": "risk_level risk_score",
        "rotation": "next_rotation_date",
        "expiration": "expires_at",
        "active_name": "is_active name",
        "tenant_id": "tenant_id",
        "owner_upn": "owner_upn",
        "last_used": "last_used",
        "application_name": "application_name",
        "list": "name is_deleted id",
        "list_type": "is_deleted identity_type name",
        "list_environment": "is_deleted environment name",
        "list_status": "is_deleted status name",
        "list_risk": "is_deleted risk_level name",
    },
    "credentials": {
        "service_type": "service_identity_id credential_type",
        "status_type": "status credential_type",
        "rotation_schedule": "next_rotation_date auto_rotation_enabled",
        "expiry": "expires_at status",
        "usage": "last_used use_count",
        "active_name": "status name",
        "external_id": "external_id",
        "list": "name is_deleted id",
        "list_status": "is_deleted status name",
    },
    "credential_rotations": {
        "cred_status": "credential_id status",
        "scheduled": "scheduled_date status",
        "retry": "next_retry_at",
        "list": "is_deleted scheduled_date id",
        "list_status": "is_deleted status scheduled_date",
    },
    "role_assignments": {
        "user_active": "user_id is_active expires_at",
        "service_active": "service_identity_id is_active expires_at",
        "role_active": "directory_role_id is_active",
        "expiry": "expires_at",
        "certification": "next_certification_date",
        "emergency": "is_emergency assigned_at",
        "sync_status": "sync_status last_sync_attempt",
        "assigned_by": "assigned_by",
        "list": "is_deleted id",
        "list_sync": "is_deleted sync_status id",
    },
    "sessions": {
        "user_active": "user_id is_active last_activity",
        "ip_created": "source_ip created_at",
        "suspicious_risk": "is_suspicious risk_score created_at",
        "device_fingerprint": "device_fingerprint user_id",
        "expiry_cleanup": "expires_at is_active",
        "geographic": "country_code geographic_location",
        "active_activity": "last_activity",
    },
    "audit_logs": {
        "timestamp_type": "timestamp event_type",
        "actor_timestamp": "actor_upn timestamp",
        "target_timestamp": "target_resource_type target_resource_id timestamp",
        "session_correlation": "session_id correlation_id",
        "severity_suspicious": "severity is_suspicious timestamp",
        "source_ip": "source_ip timestamp",
        "retention": "retention_date",
        "list_type": "event_type timestamp",
    },
}

TYPES = {
    ("privileged_users", "id"): "uuid",
    ("privileged_users", "azure_object_id"): "uuid",
    ("privileged_users", "compliance_tags"): "character varying(50)[]",
    ("privileged_users", "metadata"): "jsonb",
    ("directory_roles", "template_id"): "uuid",
    ("directory_roles", "permissions"): "jsonb",
    ("directory_roles", "compliance_frameworks"): "character varying(32)[]",
    ("service_identities", "client_id"): "uuid",
    ("service_identities", "tenant_id"): "uuid",
    ("service_identities", "ip_restrictions"): "cidr[]",
    ("credential_rotations", "duration"): "interval",
    ("sessions", "session_token_hash"): "character(64)",
    ("sessions", "source_ip"): "inet",
    ("sessions", "mfa_methods"): "character varying[]",
    ("audit_logs", "source_ip"): "inet",
    ("audit_logs", "details"): "text",
    ("audit_logs", "compliance_frameworks"): "character varying(32)[]",
    ("audit_logs", "checksum"): "character(64)",
    ("audit_logs", "session_id"): "uuid",
    ("audit_logs", "timestamp"): "timestamp with time zone",
}

TABLE_NAMES = [model._meta.db_table for model in TABLES]


def test_the_tables_are_those_of_the_schema() -> None:
    assert set(TABLE_NAMES) == set(INDEXES)


@pytest.mark.parametrize("table", TABLE_NAMES)
def test_the_simple_indexes_have_their_names_and_columns(table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.relname, string_agg(a.attname, ' ' ORDER BY k.place)
              FROM pg_index i
              JOIN pg_class c ON c.oid = i.indexrelid
             CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY k (number, place)
              JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
             WHERE i.indrelid = %s::regclass AND i.indpred IS NULL AND NOT i.indisunique AND c.relname !~ '_gin$'
             GROUP BY c.relname
            """,
            [table],
        )
        found = dict(cursor.fetchall())

    assert found == {f"ix_{table}_{name}": columns for name, columns in INDEXES[table].items()}


def test_no_name_is_generated() -> None:
    """Of indexes and constraints; PostgreSQL itself names primary keys `<table>_pkey`, and NOT NULLs since 18."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT conrelid::regclass::text, conname FROM pg_constraint
             WHERE conrelid = ANY (%(tables)s::regclass[]) AND contype <> 'n'
            UNION
            SELECT indrelid::regclass::text, indexrelid::regclass::text FROM pg_index
             WHERE indrelid = ANY (%(tables)s::regclass[])
            """,
            {"tables": TABLE_NAMES},
        )
        names = cursor.fetchall()

    others = {
        (table, name)
        for table, name in names
        if not name.startswith((f"ix_{table}_", f"uq_{table}_", f"ck_{table}_", f"fk_{table}_"))
    }
    assert others == {(table, f"{table}_pkey") for table in TABLE_NAMES}


def test_types_are_those_of_the_schema() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod) FROM pg_attribute
             WHERE attrelid = ANY (%s::regclass[])
            """,
            [TABLE_NAMES],
        )
        found = {(table, column): type_name for table, column, type_name in cursor.fetchall()}

    assert {column: found[column] for column in TYPES} == TYPES


def test_the_audit_log_has_no_foreign_key_and_the_others_protect() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT conrelid::regclass::text, count(*), min(confdeltype::text), max(confdeltype::text)
              FROM pg_constraint WHERE contype = 'f' AND conrelid = ANY (%s::regclass[]) GROUP BY 1
            """,
            [TABLE_NAMES],
        )
        found = {table: (number, *actions) for table, number, *actions in cursor.fetchall()}

    assert found == {
        "directory_role_conflicts": (2, "a", "a"),
        "credentials": (1, "a", "a"),
        "credential_rotations": (1, "a", "a"),
        "role_assignments": (3, "a", "a"),
        "sessions": (1, "a", "a"),
    }
