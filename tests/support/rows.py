"""Legal rows of every table, with no more than the schema demands; a test says what it wants different.

Every row is of CLOCK unless the test says otherwise, so that nothing depends on the day the tests run.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import count
from typing import Any, TypeVar
from uuid import UUID

from django.db import connection, models
from psycopg2 import sql

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

CLOCK = datetime(2026, 3, 17, 14, 23, 45, 678901, tzinfo=UTC)

M = TypeVar("M", bound=models.Model)

_numbers = count(1)


def make(model: type[M], **values: Any) -> M:
    """A row, saved."""
    row = build(model, **values)
    row.save()
    return row


def build(model: type[M], **values: Any) -> M:
    """A row, not saved; the rows it refers to are."""
    return model(**{**_needed(model), **values})


def insert(model: type[models.Model], **columns: Any) -> UUID:
    """A row by plain SQL, with what the columns' own defaults leave open; returns its id."""
    row = {"id": uuid7_at(CLOCK), **_columns(_needed(model)), **columns}
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING id").format(
        sql.Identifier(model._meta.db_table),
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join(sql.Placeholder() * len(row)),
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, list(row.values()))
        (key,) = cursor.fetchone()
    return UUID(str(key))


def _columns(values: dict[str, Any]) -> dict[str, Any]:
    """Columns for fields: a referenced row becomes its id."""
    return {
        f"{name}_id" if isinstance(value, models.Model) else name: value.pk
        if isinstance(value, models.Model)
        else value
        for name, value in values.items()
    }


def _needed(model: type[models.Model]) -> dict[str, Any]:
    time = "timestamp" if model is AuditLog else "created_at"
    return {time: CLOCK, **_MAKERS[model](next(_numbers))}


def _user(n: int) -> dict[str, Any]:
    return {
        "upn": f"adm-ann-{n}@contoso.example",
        "display_name": f"Ann Example {n}",
        "source_user_id": f"source-{n}",
        "source_user_upn": f"ann-{n}@contoso.example",
    }


def _role(n: int) -> dict[str, Any]:
    return {"template_id": UUID(int=n), "role_name": f"Reports Reader {n}", "category": "reports"}


def _conflict(n: int) -> dict[str, Any]:
    role, conflicting = sorted((make(DirectoryRole), make(DirectoryRole)), key=lambda role: role.pk)
    return {"role": role, "conflicting_role": conflicting}


def _identity(n: int) -> dict[str, Any]:
    return {"name": f"backup-{n}", "identity_type": "service_account"}


def _credential(n: int) -> dict[str, Any]:
    return {
        "service_identity": make(ServiceIdentity),
        "credential_type": "api_key",
        "name": f"backup key {n}",
        "vault_path": f"kv/backup/{n}",
    }


def _rotation(n: int) -> dict[str, Any]:
    return {"credential": make(Credential), "scheduled_date": CLOCK}


def _assignment(n: int) -> dict[str, Any]:
    return {
        "directory_role": make(DirectoryRole),
        "user": make(PrivilegedUser),
        "assigned_at": CLOCK,
        "assigned_by": "bob@contoso.example",
    }


def _session(n: int) -> dict[str, Any]:
    return {
        "session_token_hash": sha256(str(n).encode()).hexdigest(),
        "user": make(PrivilegedUser),
        "last_activity": CLOCK,
        "expires_at": CLOCK + timedelta(hours=8),
        "authentication_method": "mfa",
        "source_ip": "192.0.2.7",
    }


def _event(n: int) -> dict[str, Any]:
    return {
        "event_type": "authentication",
        "action": "sign_in",
        "result": "success",
        "description": f"Ann signed in for the {n}. time",
    }


_MAKERS: dict[type[models.Model], Callable[[int], dict[str, Any]]] = {
    PrivilegedUser: _user,
    DirectoryRole: _role,
    DirectoryRoleConflict: _conflict,
    ServiceIdentity: _identity,
    Credential: _credential,
    CredentialRotation: _rotation,
    RoleAssignment: _assignment,
    Session: _session,
    AuditLog: _event,
}

TABLES = tuple(_MAKERS)
