# ruff: noqa: DJ001 - nullable text is what the schema says: unknown is not empty
"""The secrets of service identities. A secret itself is never here: only where in the vault it lies."""

from django.db import models
from django.db.models import Q, TextChoices, UniqueConstraint

from pam.models import rules
from pam.models.base import CommonModel
from pam.models.identities import ServiceIdentity
from pam.postgres.fields import AnyJSONField
from pam.postgres.indexes import GinIndex, Index
from pam.querysets.base import AliveManager
from pam.querysets.credentials import CredentialQuerySet


class CredentialType(TextChoices):
    """What kind of secret it is."""

    PASSWORD = "password"  # noqa: S105 (the name of a kind, not a password)
    CLIENT_SECRET = "client_secret"  # noqa: S105
    CERTIFICATE = "certificate"
    API_KEY = "api_key", "API key"
    TOKEN = "token"  # noqa: S105
    SSH_KEY = "ssh_key", "SSH key"


class CredentialStatus(TextChoices):
    """Whether it still opens something."""

    ACTIVE = "active"
    EXPIRED = "expired"
    ROTATED = "rotated"
    REVOKED = "revoked"
    PENDING_ROTATION = "pending_rotation"


class Credential(CommonModel):
    """A secret of a service identity: where it lies, until when it works, when it must be renewed."""

    credential_type = models.CharField(max_length=50, choices=CredentialType)
    name = models.CharField(max_length=255)
    description = models.TextField(null=True, blank=True)
    service_identity = models.ForeignKey(
        ServiceIdentity, on_delete=models.PROTECT, db_index=False, related_name="credentials"
    )
    vault_path = models.CharField(max_length=500)
    vault_version = models.CharField(max_length=50, null=True, blank=True)
    status = models.CharField(
        max_length=50, choices=CredentialStatus, default=CredentialStatus.ACTIVE, db_default=CredentialStatus.ACTIVE
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used = models.DateTimeField(null=True, blank=True)
    use_count = models.IntegerField(default=0, db_default=0)
    rotation_frequency_days = models.IntegerField(default=90, db_default=90)
    next_rotation_date = models.DateTimeField(null=True, blank=True)
    last_rotated = models.DateTimeField(null=True, blank=True)
    rotation_count = models.IntegerField(default=0, db_default=0)
    auto_rotation_enabled = models.BooleanField(default=True, db_default=True)
    strength_score = models.IntegerField(null=True, blank=True)
    complexity_requirements = AnyJSONField(default=dict, db_default={}, blank=True)
    access_restrictions = AnyJSONField(default=dict, db_default={}, blank=True)
    requires_encryption = models.BooleanField(default=True, db_default=True)
    external_id = models.CharField(max_length=255, null=True, blank=True)
    external_system = models.CharField(max_length=100, null=True, blank=True)
    sync_enabled = models.BooleanField(default=False, db_default=False)
    last_sync = models.DateTimeField(null=True, blank=True)
    notification_days_before_expiry = models.IntegerField(default=14, db_default=14)
    notification_sent = models.BooleanField(default=False, db_default=False)
    emergency_contact = models.CharField(max_length=255, null=True, blank=True)

    objects = AliveManager.from_queryset(CredentialQuerySet)()
    all_objects = models.Manager.from_queryset(CredentialQuerySet)()

    class Meta:
        db_table = "credentials"
        indexes = [
            Index(fields=["service_identity", "credential_type"], name="ix_credentials_service_type"),
            Index(fields=["status", "credential_type"], name="ix_credentials_status_type"),
            Index(fields=["next_rotation_date", "auto_rotation_enabled"], name="ix_credentials_rotation_schedule"),
            Index(fields=["expires_at", "status"], name="ix_credentials_expiry"),
            Index(fields=["last_used", "use_count"], name="ix_credentials_usage"),
            Index(fields=["status", "name"], name="ix_credentials_active_name"),
            Index(fields=["external_id"], name="ix_credentials_external_id"),
            Index(
                fields=["next_rotation_date", "auto_rotation_enabled"],
                name="ix_credentials_rotation_schedule_partial",
                condition=Q(next_rotation_date__isnull=False) & Q(auto_rotation_enabled=True),
            ),
            Index(
                fields=["expires_at", "status"],
                name="ix_credentials_expiry_partial",
                condition=Q(expires_at__isnull=False) & Q(status="active"),
            ),
            Index(
                fields=["name"],
                name="ix_credentials_active_name_partial",
                condition=Q(status="active") & Q(is_deleted=False),
            ),
            Index(fields=["name", "is_deleted", "id"], name="ix_credentials_list"),
            Index(fields=["name"], name="ix_credentials_list_deleted", condition=Q(is_deleted=True)),
            Index(fields=["is_deleted", "status", "name"], name="ix_credentials_list_status"),
            GinIndex(
                fields=["name", "description"],
                opclasses=["gin_trgm_ops", "gin_trgm_ops"],
                name="ix_credentials_search_gin",
            ),
        ]
        constraints = [
            # One path without a version is one secret: two rows of it would be the same secret twice.
            UniqueConstraint(
                fields=["vault_path", "vault_version"],
                nulls_distinct=False,
                name="uq_credentials_vault_path_vault_version",
            ),
            *rules.common(db_table),
            *rules.scores(db_table, "strength_score"),
            *rules.positive(db_table, "rotation_frequency_days"),
            *rules.counters(db_table, "use_count", "rotation_count", "notification_days_before_expiry"),
            rules.one_of(db_table, "credential_type", CredentialType),
            rules.one_of(db_table, "status", CredentialStatus),
            rules.ends_after(db_table, "expires_at", "created_at"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.get_credential_type_display()})"
