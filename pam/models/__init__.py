"""The tables of menshun, one file per subject."""

from pam.models.assignments import RoleAssignment
from pam.models.audit import AuditLog
from pam.models.credentials import Credential
from pam.models.identities import ServiceIdentity
from pam.models.roles import DirectoryRole, DirectoryRoleConflict
from pam.models.rotations import CredentialRotation
from pam.models.sessions import Session
from pam.models.size_snapshots import SizeSnapshot
from pam.models.users import PrivilegedUser

__all__ = [
    "AuditLog",
    "Credential",
    "CredentialRotation",
    "DirectoryRole",
    "DirectoryRoleConflict",
    "PrivilegedUser",
    "RoleAssignment",
    "ServiceIdentity",
    "Session",
    "SizeSnapshot",
]
