# ruff: noqa: DJ001 - nullable text is what the schema says: unknown is not empty
"""Renewals of credentials: planned, running, done, failed."""

from django.db import models
from django.db.models import F, Q, TextChoices, UniqueConstraint

from pam.models import rules
from pam.models.base import CommonModel
from pam.models.credentials import Credential
from pam.postgres.fields import AnyJSONField
from pam.postgres.indexes import Index
from pam.querysets.base import AliveManager
from pam.querysets.rotations import CredentialRotationQuerySet


class RotationStatus(TextChoices):
    """How far a rotation has come."""

    SCHEDULED = "scheduled"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class RotationType(TextChoices):
    """Why a rotation happens."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"
    EMERGENCY = "emergency"


class VerificationStatus(TextChoices):
    """Whether the new secret was seen to work."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILED = "failed"


class CredentialRotation(CommonModel):
    """One renewal of one credential."""

    credential = models.ForeignKey(Credential, on_delete=models.PROTECT, db_index=False, related_name="rotations")
    status = models.CharField(
        max_length=50, choices=RotationStatus, default=RotationStatus.SCHEDULED, db_default=RotationStatus.SCHEDULED
    )
    scheduled_date = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    duration = models.GeneratedField(
        expression=F("completed_at") - F("started_at"), output_field=models.DurationField(), db_persist=True
    )
    rotation_type = models.CharField(
        max_length=50, choices=RotationType, default=RotationType.AUTOMATIC, db_default=RotationType.AUTOMATIC
    )
    triggered_by = models.CharField(max_length=255, null=True, blank=True)
    reason = models.TextField(null=True, blank=True)
    old_vault_path = models.CharField(max_length=500, null=True, blank=True)
    new_vault_path = models.CharField(max_length=500, null=True, blank=True)
    error_message = models.TextField(null=True, blank=True)
    retry_count = models.IntegerField(default=0, db_default=0)
    max_retries = models.IntegerField(default=3, db_default=3)
    next_retry_at = models.DateTimeField(null=True, blank=True)
    verification_status = models.CharField(
        max_length=50,
        choices=VerificationStatus,
        default=VerificationStatus.PENDING,
        db_default=VerificationStatus.PENDING,
    )
    verification_details = models.TextField(null=True, blank=True)
    rollback_available = models.BooleanField(default=True, db_default=True)
    systems_updated = AnyJSONField(default=list, db_default=[], blank=True)
    notifications_sent = AnyJSONField(default=list, db_default=[], blank=True)

    objects = AliveManager.from_queryset(CredentialRotationQuerySet)()
    all_objects = models.Manager.from_queryset(CredentialRotationQuerySet)()

    class Meta:
        db_table = "credential_rotations"
        permissions = [
            ("request_credentialrotation", "Can request credential rotations"),
            ("retry_credentialrotation", "Can retry failed credential rotations"),
        ]
        indexes = [
            Index(fields=["credential", "status"], name="ix_credential_rotations_cred_status"),
            Index(fields=["scheduled_date", "status"], name="ix_credential_rotations_scheduled"),
            Index(fields=["next_retry_at"], name="ix_credential_rotations_retry"),
            Index(
                fields=["next_retry_at"],
                name="ix_credential_rotations_retry_partial",
                condition=Q(next_retry_at__isnull=False) & Q(status="failed"),
            ),
            Index(fields=["is_deleted", "scheduled_date", "id"], name="ix_credential_rotations_list"),
            Index(fields=["is_deleted", "status", "scheduled_date"], name="ix_credential_rotations_list_status"),
            Index(
                fields=["scheduled_date", "id"],
                name="ix_credential_rotations_list_done",
                condition=Q(is_deleted=False) & Q(status="completed"),
            ),
        ]
        constraints = [
            UniqueConstraint(
                fields=["credential"],
                name="uq_credential_rotations_open_credential",
                condition=Q(status__in=["scheduled", "in_progress"]) & Q(is_deleted=False),
                violation_error_message="This credential has an open rotation already.",
            ),
            *rules.common(db_table),
            *rules.counters(db_table, "retry_count", "max_retries"),
            rules.one_of(db_table, "status", RotationStatus),
            rules.one_of(db_table, "rotation_type", RotationType),
            rules.one_of(db_table, "verification_status", VerificationStatus),
            rules.check(
                db_table,
                "retries",
                Q(retry_count__lte=F("max_retries")),
                "There were more retries than allowed.",
            ),
            rules.check(
                db_table,
                "next_retry_at",
                Q(next_retry_at__isnull=True) | Q(status="failed"),
                "Only a failed rotation is tried again.",
            ),
            rules.check(
                db_table,
                "completed",
                ~Q(status="completed") | Q(completed_at__isnull=False),
                "A completed rotation has the time of its completion.",
            ),
            rules.check(
                db_table,
                "ended",
                Q(completed_at__isnull=True) | Q(status__in=["completed", "failed", "cancelled"]),
                "A rotation that is scheduled or in progress has no end yet.",
            ),
            rules.check(
                db_table,
                "completed_at",
                Q(completed_at__gte=F("started_at")),
                "A rotation cannot end before it has begun.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_rotation_type_display()} rotation of {self.credential}, {self.get_status_display().lower()}"
