"""Who sits before the pages: nobody, somebody in a role, or a superuser; and which tables each role may see."""

from django.contrib.auth.models import Group, User
from django.db import models
from django.test import Client

from pam.models import (
    PHASE_1,
    AccountRiskReport,
    AuditEventReport,
    AuditLog,
    CredentialRotationReport,
    DirectoryRoleConflict,
    PrivilegedAccessReport,
)

Models = tuple[type[models.Model], ...]

REPORTS: Models = (AccountRiskReport, AuditEventReport, CredentialRotationReport, PrivilegedAccessReport)
# Conflicts of roles have no page.
TABLES: Models = tuple(model for model in PHASE_1 if model not in (DirectoryRoleConflict, AuditLog))
# All with a page that has rows in a test.
KEPT: Models = (*TABLES, AuditLog)

SEES: dict[str, Models] = {
    "auditor": (*TABLES, AuditLog, *REPORTS),
    "operator": TABLES,
    "security officer": (*TABLES, AuditLog, *REPORTS),
    "DBA": (),
}


def browser_of(role: str) -> Client:
    """A browser in which somebody is signed in who has this role and no other; `pam_roles` was run before."""
    user = User.objects.create(username=f"{role}@contoso.example", is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client
