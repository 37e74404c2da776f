"""Renewals of credentials."""

from django.contrib import admin

from pam.admin.common import CommonAdmin
from pam.admin.duties import Duty
from pam.admin.filters import QuestionFilter
from pam.admin.table import SEARCH_RULE
from pam.duties import rotations
from pam.models import CredentialRotation


class RotationQuestions(QuestionFilter):
    """The named questions about rotations."""

    questions = {
        "open": lambda rotations: rotations.open(),
        "failed": lambda rotations: rotations.failed(),
        "due_for_retry": lambda rotations: rotations.due_for_retry(),
    }
    orders = {"due_for_retry": ("next_retry_at",)}


RETRY = Duty(
    name="retry",
    label="Retry selected failed %(verbose_name_plural)s",
    permission="retry_credentialrotation",
    perform=rotations.retry,
    done="Credential rotations scheduled again",
)


@admin.register(CredentialRotation)
class CredentialRotationAdmin(CommonAdmin):
    """One renewal of one credential."""

    noun = "rotation"
    actions = (*CommonAdmin.actions, RETRY)
    list_display = ("credential", "rotation_type", "status", "scheduled_date", "completed_at", "verification_status")
    list_filter = (RotationQuestions, "status", "scheduled_date")
    list_select_related = ("credential",)
    # Each row refers to a credential that lies somewhere else.
    list_per_page = 25
    autocomplete_fields = ("credential",)
    search_fields = ("credential",)
    search_through = {"credential": ("name", "description")}
    search_help_text = f"Name or description of the credential. {SEARCH_RULE}"
    ordering = ("-scheduled_date",)
    sortable_by = ("scheduled_date",)
    readonly_fields = ("duration",)
    fieldsets = (
        (None, {"fields": ("credential", "rotation_type", "triggered_by", "reason")}),
        ("Time", {"fields": ("status", "scheduled_date", "started_at", "completed_at", "duration")}),
        ("Vault", {"fields": ("old_vault_path", "new_vault_path", "rollback_available")}),
        ("Failure", {"fields": ("error_message", "retry_count", "max_retries", "next_retry_at")}),
        ("Verification", {"fields": ("verification_status", "verification_details")}),
        ("Told", {"fields": ("systems_updated", "notifications_sent")}),
    )
