"""What may be there only once among what is active: assignments of a role, open rotations of a credential."""

from django.db import migrations
from django.db.models import Q, UniqueConstraint

from pam.postgres.operations import AddUniqueConstraintConcurrently


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("pam", "0004_phase2_advanced_indexes")]
    operations = [
        AddUniqueConstraintConcurrently(
            "credentialrotation",
            UniqueConstraint(
                fields=["credential"],
                name="uq_credential_rotations_open_credential",
                condition=Q(("status__in", ["scheduled", "in_progress"]), ("is_deleted", False)),
                violation_error_message="This credential has an open rotation already.",
            ),
        ),
        AddUniqueConstraintConcurrently(
            "roleassignment",
            UniqueConstraint(
                fields=["directory_role", "user"],
                name="uq_role_assignments_active_user",
                condition=Q(("is_active", True), ("is_deleted", False)),
                violation_error_message="This user holds this role already.",
            ),
        ),
        AddUniqueConstraintConcurrently(
            "roleassignment",
            UniqueConstraint(
                fields=["directory_role", "service_identity"],
                name="uq_role_assignments_active_identity",
                condition=Q(("is_active", True), ("is_deleted", False)),
                violation_error_message="This service identity holds this role already.",
            ),
        ),
    ]
