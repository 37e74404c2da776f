"""Reports: materialized views of phase 3, one file each. What they say is as old as their last refresh."""

from django.db import connections

from pam.models.reports.account_risk import AccountRiskReport
from pam.models.reports.audit_events import AuditEventReport
from pam.models.reports.base import Report
from pam.models.reports.credential_rotation import CredentialRotationReport
from pam.models.reports.privileged_access import PrivilegedAccessReport
from pam.postgres.view_age import ViewAge, age_of

REPORTS: tuple[type[Report], ...] = (
    PrivilegedAccessReport,
    CredentialRotationReport,
    AuditEventReport,
    AccountRiskReport,
)


def ages(alias: str) -> list[ViewAge]:
    """How old each report is in the database behind an alias, by the server's clock. Locks: see `age_of`."""
    return [age_of(connections[alias], report._meta.db_table) for report in REPORTS]


__all__ = [
    "REPORTS",
    "AccountRiskReport",
    "AuditEventReport",
    "CredentialRotationReport",
    "PrivilegedAccessReport",
    "Report",
    "ages",
]
