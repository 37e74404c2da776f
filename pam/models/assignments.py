# ruff: noqa: DJ001 - nullable text is what the schema says: unknown is not empty
"""Who holds which role, since when, until when, and who said so."""

from django.db import models
from django.db.models import F, Q, TextChoices, UniqueConstraint
from django.db.models.functions import Now
from django.utils import timezone

from pam.models import rules
from pam.models.base import CommonModel
from pam.models.identities import ServiceIdentity
from pam.models.roles import DirectoryRole
from pam.models.users import PrivilegedUser
from pam.postgres.indexes import Index
from pam.querysets.assignments import RoleAssignmentQuerySet
from pam.querysets.base import AliveManager


class SyncStatus(TextChoices):
    """Whether Entra knows."""

    PENDING = "pending"
    SYNCED = "synced"
    FAILED = "failed"


class AssignmentSource(TextChoices):
    """Where an assignment comes from."""

    MANUAL = "manual"
    AUTOMATED = "automated"
    IMPORTED = "imported"
    EMERGENCY = "emergency"


class RoleAssignment(CommonModel):
    """A role in the hands of one user or of one service identity.

    One that ended by itself is inactive and not revoked; one that somebody took back says when and who. An emergency
    assignment always has `expires_at`, by which its end is found; `auto_revoke_hours` is only where that came from.
    """

    directory_role = models.ForeignKey(
        DirectoryRole, on_delete=models.PROTECT, db_index=False, related_name="assignments"
    )
    user = models.ForeignKey(
        PrivilegedUser,
        on_delete=models.PROTECT,
        db_index=False,
        related_name="role_assignments",
        null=True,
        blank=True,
    )
    service_identity = models.ForeignKey(
        ServiceIdentity,
        on_delete=models.PROTECT,
        db_index=False,
        related_name="role_assignments",
        null=True,
        blank=True,
    )
    assigned_at = models.DateTimeField(default=timezone.now, db_default=Now())
    assigned_by = models.CharField(max_length=255)
    expires_at = models.DateTimeField(null=True, blank=True)
    is_active = models.BooleanField(default=True, db_default=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.CharField(max_length=255, null=True, blank=True)
    justification = models.TextField(null=True, blank=True)
    ticket_number = models.CharField(max_length=100, null=True, blank=True)
    approval_required = models.BooleanField(default=False, db_default=False)
    approved_by = models.CharField(max_length=255, null=True, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)
    azure_assignment_id = models.CharField(max_length=255, null=True, blank=True)
    sync_status = models.CharField(
        max_length=50, choices=SyncStatus, default=SyncStatus.PENDING, db_default=SyncStatus.PENDING
    )
    last_sync_attempt = models.DateTimeField(null=True, blank=True)
    sync_error = models.TextField(null=True, blank=True)
    risk_score = models.IntegerField(null=True, blank=True)
    risk_assessment_date = models.DateTimeField(null=True, blank=True)
    requires_certification = models.BooleanField(default=False, db_default=False)
    last_certified = models.DateTimeField(null=True, blank=True)
    certified_by = models.CharField(max_length=255, null=True, blank=True)
    next_certification_date = models.DateTimeField(null=True, blank=True)
    is_emergency = models.BooleanField(default=False, db_default=False)
    emergency_justification = models.TextField(null=True, blank=True)
    emergency_approver = models.CharField(max_length=255, null=True, blank=True)
    auto_revoke_hours = models.IntegerField(null=True, blank=True)
    assignment_source = models.CharField(
        max_length=50, choices=AssignmentSource, default=AssignmentSource.MANUAL, db_default=AssignmentSource.MANUAL
    )
    source_system = models.CharField(max_length=100, null=True, blank=True)
    assignment_context = models.TextField(null=True, blank=True)

    objects = AliveManager.from_queryset(RoleAssignmentQuerySet)()
    all_objects = models.Manager.from_queryset(RoleAssignmentQuerySet)()

    class Meta:
        db_table = "role_assignments"
        permissions = [
            ("revoke_roleassignment", "Can revoke role assignments"),
            ("end_emergency_roleassignment", "Can end emergency role assignments"),
            ("certify_roleassignment", "Can certify role assignments"),
            ("approve_roleassignment", "Can approve role assignments"),
        ]
        indexes = [
            Index(fields=["user", "is_active", "expires_at"], name="ix_role_assignments_user_active"),
            Index(fields=["service_identity", "is_active", "expires_at"], name="ix_role_assignments_service_active"),
            Index(fields=["directory_role", "is_active"], name="ix_role_assignments_role_active"),
            Index(fields=["expires_at"], name="ix_role_assignments_expiry"),
            Index(fields=["next_certification_date"], name="ix_role_assignments_certification"),
            Index(fields=["is_emergency", "assigned_at"], name="ix_role_assignments_emergency"),
            Index(fields=["sync_status", "last_sync_attempt"], name="ix_role_assignments_sync_status"),
            Index(fields=["assigned_by"], name="ix_role_assignments_assigned_by"),
            Index(
                fields=["expires_at"],
                name="ix_role_assignments_expiry_partial",
                condition=Q(expires_at__isnull=False) & Q(is_active=True),
            ),
            Index(
                fields=["next_certification_date"],
                name="ix_role_assignments_certification_partial",
                condition=Q(requires_certification=True) & Q(is_active=True),
            ),
            Index(
                fields=["is_emergency", "assigned_at"],
                name="ix_role_assignments_emergency_partial",
                condition=Q(is_emergency=True),
            ),
            Index(fields=["is_deleted", "id"], name="ix_role_assignments_list"),
            Index(fields=["is_deleted", "sync_status", "id"], name="ix_role_assignments_list_sync"),
            Index(
                fields=["id"], name="ix_role_assignments_list_active", condition=Q(is_active=True) & Q(is_deleted=False)
            ),
        ]
        constraints = [
            UniqueConstraint(fields=["azure_assignment_id"], name="uq_role_assignments_azure_assignment_id"),
            UniqueConstraint(
                fields=["directory_role", "user"],
                name="uq_role_assignments_active_user",
                condition=Q(is_active=True) & Q(is_deleted=False),
                violation_error_message="This user holds this role already.",
            ),
            UniqueConstraint(
                fields=["directory_role", "service_identity"],
                name="uq_role_assignments_active_identity",
                condition=Q(is_active=True) & Q(is_deleted=False),
                violation_error_message="This service identity holds this role already.",
            ),
            *rules.common(db_table),
            *rules.scores(db_table, "risk_score"),
            *rules.positive(db_table, "auto_revoke_hours"),
            rules.one_of(db_table, "sync_status", SyncStatus),
            rules.one_of(db_table, "assignment_source", AssignmentSource),
            rules.ends_after(db_table, "expires_at", "assigned_at"),
            rules.check(
                db_table,
                "holder",
                Q(user__isnull=False, service_identity__isnull=True)
                | Q(user__isnull=True, service_identity__isnull=False),
                "Exactly one of the two holds the role: a user or a service identity.",
            ),
            rules.check(
                db_table,
                "revoked",
                Q(revoked_at__isnull=True, revoked_by__isnull=True)
                | Q(is_active=False, revoked_at__isnull=False, revoked_by__isnull=False),
                "Revoked means: not active, and both when and by whom.",
            ),
            rules.check(
                db_table,
                "revoked_at",
                Q(revoked_at__gte=F("assigned_at")),
                "An assignment cannot be revoked before it was made.",
            ),
            rules.check(
                db_table,
                "certification",
                Q(requires_certification=False) | Q(next_certification_date__isnull=False),
                "A certification that is required needs its next date.",
            ),
            rules.check(
                db_table,
                "emergency",
                Q(is_emergency=False)
                | Q(
                    emergency_justification__isnull=False,
                    emergency_justification__regex=r"\S",
                    expires_at__isnull=False,
                ),
                "An emergency assignment has a justification and an end.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.directory_role} for {self.user or self.service_identity}"
