"""What the lists of the admin are ordered and filtered by: a page of a million rows costs what one of a few does.

Of no phase: the tables may be plain or monthly. Nearly every list shows either the deleted rows or the others, so that
`is_deleted` is in nearly every index, and the rest is what is filtered by and then what is ordered by: so the rows of a
page are found, and counted, in the index. It stands on 0021, so that `migrate pam 0021` takes it back and no phase.
Interrupted, it is simply run again.
"""

from django.db import migrations
from django.db.models import Q

from pam.postgres.indexes import Index
from pam.postgres.operations import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("pam", "0021_duty_permissions")]
    operations = [
        AddIndexConcurrently(
            "privilegeduser", Index(fields=["is_deleted", "upn", "id"], name="ix_privileged_users_list")
        ),
        AddIndexConcurrently(
            "privilegeduser", Index(fields=["is_deleted", "risk_level", "upn"], name="ix_privileged_users_list_risk")
        ),
        AddIndexConcurrently(
            "privilegeduser",
            Index(fields=["is_deleted", "compliance_status", "upn"], name="ix_privileged_users_list_compliance"),
        ),
        AddIndexConcurrently(
            "privilegeduser",
            Index(
                fields=["upn"],
                name="ix_privileged_users_list_inactive",
                condition=Q(("is_active", False), ("is_deleted", False)),
            ),
        ),
        AddIndexConcurrently(
            "privilegeduser",
            Index(
                fields=["next_certification_date"],
                name="ix_privileged_users_list_certification",
                condition=Q(("certification_required", True), ("is_active", True), ("is_deleted", False)),
            ),
        ),
        AddIndexConcurrently(
            "serviceidentity", Index(fields=["name", "is_deleted", "id"], name="ix_service_identities_list")
        ),
        AddIndexConcurrently(
            "serviceidentity",
            Index(fields=["name"], name="ix_service_identities_list_deleted", condition=Q(("is_deleted", True))),
        ),
        AddIndexConcurrently(
            "serviceidentity",
            Index(fields=["is_deleted", "identity_type", "name"], name="ix_service_identities_list_type"),
        ),
        AddIndexConcurrently(
            "serviceidentity",
            Index(fields=["is_deleted", "environment", "name"], name="ix_service_identities_list_environment"),
        ),
        AddIndexConcurrently(
            "serviceidentity", Index(fields=["is_deleted", "status", "name"], name="ix_service_identities_list_status")
        ),
        AddIndexConcurrently(
            "serviceidentity",
            Index(fields=["is_deleted", "risk_level", "name"], name="ix_service_identities_list_risk"),
        ),
        AddIndexConcurrently("credential", Index(fields=["name", "is_deleted", "id"], name="ix_credentials_list")),
        AddIndexConcurrently(
            "credential", Index(fields=["name"], name="ix_credentials_list_deleted", condition=Q(("is_deleted", True)))
        ),
        AddIndexConcurrently(
            "credential", Index(fields=["is_deleted", "status", "name"], name="ix_credentials_list_status")
        ),
        AddIndexConcurrently(
            "credentialrotation",
            Index(fields=["is_deleted", "scheduled_date", "id"], name="ix_credential_rotations_list"),
        ),
        AddIndexConcurrently(
            "credentialrotation",
            Index(fields=["is_deleted", "status", "scheduled_date"], name="ix_credential_rotations_list_status"),
        ),
        AddIndexConcurrently("roleassignment", Index(fields=["is_deleted", "id"], name="ix_role_assignments_list")),
        AddIndexConcurrently(
            "roleassignment", Index(fields=["is_deleted", "sync_status", "id"], name="ix_role_assignments_list_sync")
        ),
        AddIndexConcurrently(
            "roleassignment",
            Index(
                fields=["id"],
                name="ix_role_assignments_list_active",
                condition=Q(("is_active", True), ("is_deleted", False)),
            ),
        ),
        AddIndexConcurrently(
            "session",
            Index(
                fields=["last_activity"],
                name="ix_sessions_list_suspicious",
                condition=Q(("is_suspicious", True), ("is_deleted", False)),
            ),
        ),
        AddIndexConcurrently(
            "session",
            Index(fields=["last_activity"], name="ix_sessions_list_deleted", condition=Q(("is_deleted", True))),
        ),
        AddIndexConcurrently("auditlog", Index(fields=["event_type", "timestamp"], name="ix_audit_logs_list_type")),
        AddIndexConcurrently(
            "auditlog",
            Index(
                fields=["result", "timestamp"],
                name="ix_audit_logs_list_result",
                condition=Q(("result", "success"), _negated=True),
            ),
        ),
        AddIndexConcurrently(
            "auditlog",
            Index(
                fields=["severity", "timestamp"],
                name="ix_audit_logs_list_severity",
                condition=Q(("severity", "info"), _negated=True),
            ),
        ),
        AddIndexConcurrently(
            "auditlog",
            Index(fields=["timestamp"], name="ix_audit_logs_list_suspicious", condition=Q(("is_suspicious", True))),
        ),
    ]
