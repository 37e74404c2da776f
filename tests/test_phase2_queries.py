"""Each advanced index serves a query that somebody asks: EXPLAIN names it, and the plan without it costs more."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connections, transaction
from django.db.models import QuerySet
from django.utils import timezone
from pytest_django import DjangoDbBlocker

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
from tests.support.bulk import add_audit_rows
from tests.support.databases import throwaway_database
from tests.support.document import INDEXES

COMPANY = Path(__file__).parent / "support" / "company.sql"
WEEK = timedelta(days=7)

QUERIES: dict[str, Callable[[], QuerySet[Any]]] = {
    "ix_service_identities_active_name_partial": lambda: ServiceIdentity.objects.active().values_list("name"),
    "ix_service_identities_rotation_partial": lambda: ServiceIdentity.objects.due_for_rotation(timezone.now()),
    "ix_service_identities_expiration_partial": lambda: ServiceIdentity.objects.expiring_within(WEEK),
    "ix_service_identities_search_gin": lambda: ServiceIdentity.objects.search("a94a8fe5"),
    "ix_directory_roles_search_gin": lambda: DirectoryRole.objects.search("a94a8fe5"),
    "ix_role_assignments_expiry_partial": lambda: RoleAssignment.objects.expiring_within(WEEK),
    "ix_role_assignments_certification_partial": lambda: RoleAssignment.objects.due_for_certification(),
    "ix_role_assignments_emergency_partial": lambda: RoleAssignment.all_objects.emergency().values_list("assigned_at"),
    "ix_sessions_expiry_cleanup_partial": lambda: Session.objects.expired().order_by("expires_at")[:20],
    "ix_sessions_active_activity_partial": lambda: Session.objects.stale(older_than=timedelta(hours=9)),
    "ix_privileged_users_active_upn_partial": lambda: PrivilegedUser.objects.active().values_list("upn"),
    "ix_credentials_rotation_schedule_partial": lambda: Credential.objects.due_for_rotation(),
    "ix_credentials_expiry_partial": lambda: Credential.objects.expiring_within(WEEK),
    "ix_credentials_active_name_partial": lambda: Credential.objects.active().values_list("name"),
    "ix_credential_rotations_retry_partial": lambda: CredentialRotation.objects.due_for_retry(),
    "ix_audit_logs_compliance_gin": lambda: AuditLog.objects.compliance("HIPAA"),
    "ix_audit_logs_search_gin": lambda: AuditLog.objects.search("d41d8c"),
}


# The document gives the same columns in the same order to a simple index of phase 1 and to a partial one of phase 2.
# Where rows are few, the planner's figures for the two differ by less than chance: either may serve, so one goes first.
TWINS = {"ix_role_assignments_emergency_partial": "ix_role_assignments_emergency"}


@pytest.fixture(scope="module")
def company(django_db_blocker: DjangoDbBlocker, migrated_template: str) -> Iterator[str]:
    """The alias of a database with a company in it."""
    with django_db_blocker.unblock(), throwaway_database("company", migrated_template) as alias:
        add_audit_rows(alias, 15_000)
        with connections[alias].cursor() as cursor:
            cursor.execute(COMPANY.read_text())
            cursor.execute("VACUUM ANALYZE")
        yield alias


def plan(query: QuerySet[Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(query.explain(format="json"))[0]["Plan"]
    return found


def indexes_of(node: dict[str, Any]) -> set[str]:
    """By the parents' names, after which those of months are called."""
    own = {re.sub(r"_(\d{4}_\d{2}|default)$", "", node["Index Name"])} if "Index Name" in node else set()
    return own.union(*(indexes_of(child) for child in node.get("Plans", [])))


def test_every_index_has_its_query():
    assert set(QUERIES) == set(INDEXES)


@pytest.mark.parametrize("name", QUERIES)
def test_the_index_serves_its_query(company, name):
    query = QUERIES[name]().using(company)
    with transaction.atomic(using=company), connections[company].cursor() as cursor:
        if name in TWINS:
            cursor.execute(f"DROP INDEX {TWINS[name]}")
        with_it = plan(query)
        assert name in indexes_of(with_it), json.dumps(with_it, indent=1)
        cursor.execute(f"DROP INDEX {name}")
        without_it = plan(query.all())
        transaction.set_rollback(True, using=company)
    assert without_it["Total Cost"] > with_it["Total Cost"]
