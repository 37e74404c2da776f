"""The tables and reports of menshun, one file per subject."""

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
from pam.models.users import PrivilegedUser

__all__ = [
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
]
