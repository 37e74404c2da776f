"""The 17 advanced indexes, on tables in use; in the order of the document that this project comes from.

Interrupted, it is simply run again: what is built is accepted, what is half built is built anew.
"""

from django.db import migrations
from django.db.models import Q

from pam.postgres.indexes import GinIndex, Index
from pam.postgres.operations import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("pam", "0003_phase2_trigram_extension")]
    operations = [
        AddIndexConcurrently(
            "serviceidentity",
            Index(
                fields=["name"],
                name="ix_service_identities_active_name_partial",
                condition=Q(("is_active", True), ("is_deleted", False)),
            ),
        ),
        AddIndexConcurrently(
            "serviceidentity",
            Index(
                fields=["next_rotation_date"],
                name="ix_service_identities_rotation_partial",
                condition=Q(("next_rotation_date__isnull", False), ("is_active", True)),
            ),
        ),
        AddIndexConcurrently(
            "serviceidentity",
            Index(
                fields=["expires_at"],
                name="ix_service_identities_expiration_partial",
                condition=Q(("expires_at__isnull", False), ("is_active", True)),
            ),
        ),
        AddIndexConcurrently(
            "serviceidentity",
            GinIndex(
                fields=["name", "description"],
                name="ix_service_identities_search_gin",
                opclasses=["gin_trgm_ops", "gin_trgm_ops"],
            ),
        ),
        AddIndexConcurrently(
            "directoryrole",
            GinIndex(
                fields=["role_name", "description"],
                name="ix_directory_roles_search_gin",
                opclasses=["gin_trgm_ops", "gin_trgm_ops"],
            ),
        ),
        AddIndexConcurrently(
            "roleassignment",
            Index(
                fields=["expires_at"],
                name="ix_role_assignments_expiry_partial",
                condition=Q(("expires_at__isnull", False), ("is_active", True)),
            ),
        ),
        AddIndexConcurrently(
            "roleassignment",
            Index(
                fields=["next_certification_date"],
                name="ix_role_assignments_certification_partial",
                condition=Q(("requires_certification", True), ("is_active", True)),
            ),
        ),
        AddIndexConcurrently(
            "roleassignment",
            Index(
                fields=["is_emergency", "assigned_at"],
                name="ix_role_assignments_emergency_partial",
                condition=Q(("is_emergency", True)),
            ),
        ),
        AddIndexConcurrently(
            "session",
            Index(
                fields=["expires_at", "is_active"],
                name="ix_sessions_expiry_cleanup_partial",
                condition=Q(("is_active", True)),
            ),
        ),
        AddIndexConcurrently(
            "session",
            Index(
                fields=["last_activity"], name="ix_sessions_active_activity_partial", condition=Q(("is_active", True))
            ),
        ),
        AddIndexConcurrently(
            "privilegeduser",
            Index(
                fields=["upn"],
                name="ix_privileged_users_active_upn_partial",
                condition=Q(("is_active", True), ("is_deleted", False)),
            ),
        ),
        AddIndexConcurrently(
            "credential",
            Index(
                fields=["next_rotation_date", "auto_rotation_enabled"],
                name="ix_credentials_rotation_schedule_partial",
                condition=Q(("next_rotation_date__isnull", False), ("auto_rotation_enabled", True)),
            ),
        ),
        AddIndexConcurrently(
            "credential",
            Index(
                fields=["expires_at", "status"],
                name="ix_credentials_expiry_partial",
                condition=Q(("expires_at__isnull", False), ("status", "active")),
            ),
        ),
        AddIndexConcurrently(
            "credential",
            Index(
                fields=["name"],
                name="ix_credentials_active_name_partial",
                condition=Q(("status", "active"), ("is_deleted", False)),
            ),
        ),
        AddIndexConcurrently(
            "credentialrotation",
            Index(
                fields=["next_retry_at"],
                name="ix_credential_rotations_retry_partial",
                condition=Q(("next_retry_at__isnull", False), ("status", "failed")),
            ),
        ),
        AddIndexConcurrently(
            "auditlog", GinIndex(fields=["compliance_frameworks"], name="ix_audit_logs_compliance_gin")
        ),
        AddIndexConcurrently(
            "auditlog",
            GinIndex(
                fields=["description", "details"],
                name="ix_audit_logs_search_gin",
                opclasses=["gin_trgm_ops", "gin_trgm_ops"],
            ),
        ),
    ]
