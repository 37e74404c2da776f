"""The tables and reports of menshun, one file per subject."""

from django.db.models import Model

from pam.models.assignments import RoleAssignment
from pam.models.audit import AuditLog
from pam.models.credentials import Credential
from pam.models.identities import ServiceIdentity
from pam.models.reports import (
    AccountRiskReport,
    AuditEventReport,
    CredentialRotationReport,
    PrivilegedAccessReport,
)
from pam.models.roles import DirectoryRole, DirectoryRoleConflict
from pam.models.rotations import CredentialRotation
from pam.models.sessions import Session
from pam.models.size_snapshots import SizeSnapshot
from pam.models.users import PrivilegedUser

# What phase 1 makes, and the application works with; the others are what menshun notes of itself.
PHASE_1: tuple[type[Model], ...] = (
    PrivilegedUser,
    DirectoryRole,
    DirectoryRoleConflict,
    ServiceIdentity,
    Credential,
    CredentialRotation,
    RoleAssignment,
    Session,
    AuditLog,
)

__all__ = [
    "PHASE_1",
    "AccountRiskReport",
    "AuditEventReport",
    "AuditLog",
    "Credential",
    "CredentialRotation",
    "CredentialRotationReport",
    "DirectoryRole",
    "DirectoryRoleConflict",
    "PrivilegedAccessReport",
    "PrivilegedUser",
    "RoleAssignment",
    "ServiceIdentity",
    "Session",
    "SizeSnapshot",
]
