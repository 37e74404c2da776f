"""The secrets of service identities: where they lie, never what they are."""

from datetime import timedelta

from django.contrib import admin

from pam.admin.common import CommonAdmin
from pam.admin.duties import Duty
from pam.admin.filters import QuestionFilter
from pam.duties import rotations
from pam.models import Credential


class CredentialQuestions(QuestionFilter):
    """The named questions about credentials."""

    questions = {
        "active": lambda credentials: credentials.active(),
        "expiring_within_30_days": lambda credentials: credentials.expiring_within(timedelta(days=30)),
        "expired": lambda credentials: credentials.expired(),
        "due_for_rotation": lambda credentials: credentials.due_for_rotation(),
    }
    orders = {
        "expiring_within_30_days": ("expires_at",),
        "expired": ("expires_at",),
        "due_for_rotation": ("next_rotation_date",),
    }


REQUEST_ROTATION = Duty(
    name="request_rotation",
    label="Request a rotation of selected %(verbose_name_plural)s",
    permission="request_credentialrotation",
    perform=rotations.request,
    done="Credential rotations requested",
)


@admin.register(Credential)
class CredentialAdmin(CommonAdmin):
    """A secret: its place in the vault, its end, its renewal."""

    noun = "credential"
    actions = (*CommonAdmin.actions, REQUEST_ROTATION)
    list_display = ("name", "credential_type", "service_identity", "status", "expires_at", "next_rotation_date")
    list_filter = (CredentialQuestions, "status")
    list_select_related = ("service_identity",)
    autocomplete_fields = ("service_identity",)
    search_fields = ("name", "description")
    ordering = ("name",)
    sortable_by = ("name",)
    # Counted by the vault and by the rotation worker.
    readonly_fields = ("last_used", "use_count", "last_rotated", "rotation_count", "notification_sent", "last_sync")
    fieldsets = (
        (None, {"fields": ("name", "credential_type", "service_identity", "description", "emergency_contact")}),
        ("Vault", {"fields": ("vault_path", "vault_version", "requires_encryption")}),
        (
            "Life",
            {"fields": ("status", "expires_at", "notification_days_before_expiry", "notification_sent")},
        ),
        (
            "Rotation",
            {
                "fields": (
                    "auto_rotation_enabled",
                    "rotation_frequency_days",
                    "next_rotation_date",
                    "last_rotated",
                    "rotation_count",
                )
            },
        ),
        ("Rules", {"fields": ("strength_score", "complexity_requirements", "access_restrictions")}),
        ("Elsewhere", {"fields": ("external_system", "external_id", "sync_enabled", "last_sync")}),
        ("Use", {"fields": ("last_used", "use_count")}),
    )
