"""Who holds which role."""

from datetime import timedelta

from django.contrib import admin

from pam.admin.common import CommonAdmin
from pam.admin.duties import Duty
from pam.admin.filters import QuestionFilter
from pam.admin.table import SEARCH_RULE
from pam.duties import assignments
from pam.models import RoleAssignment


class AssignmentQuestions(QuestionFilter):
    """The named questions about assignments."""

    questions = {
        "active": lambda assignments: assignments.active(),
        "expiring_within_30_days": lambda assignments: assignments.expiring_within(timedelta(days=30)),
        "expired": lambda assignments: assignments.expired(),
        "due_for_certification": lambda assignments: assignments.due_for_certification(),
        "emergency": lambda assignments: assignments.emergency(),
    }
    orders = {
        "expiring_within_30_days": ("expires_at",),
        "expired": ("expires_at",),
        "due_for_certification": ("next_certification_date",),
        "emergency": ("-assigned_at",),
    }


REVOKE = Duty(
    name="revoke",
    label="Revoke selected %(verbose_name_plural)s",
    permission="revoke_roleassignment",
    perform=assignments.revoke,
    done="Role assignments revoked",
)
CERTIFY = Duty(
    name="certify",
    label="Certify selected %(verbose_name_plural)s",
    permission="certify_roleassignment",
    perform=assignments.certify,
    done="Role assignments certified",
)
APPROVE = Duty(
    name="approve",
    label="Approve selected %(verbose_name_plural)s",
    permission="approve_roleassignment",
    perform=assignments.approve,
    done="Role assignments approved",
)
END_EMERGENCY = Duty(
    name="end_emergency",
    label="End selected emergency %(verbose_name_plural)s",
    permission="end_emergency_roleassignment",
    perform=assignments.end_emergency,
    done="Emergency role assignments ended",
)


@admin.register(RoleAssignment)
class RoleAssignmentAdmin(CommonAdmin):
    """A role in somebody's hands: since when, until when, by whose word."""

    noun = "assignment"
    actions = (*CommonAdmin.actions, REVOKE, CERTIFY, APPROVE, END_EMERGENCY)
    list_display = (
        "directory_role",
        "user",
        "service_identity",
        "is_active",
        "assigned_at",
        "expires_at",
        "assigned_by",
    )
    list_filter = (AssignmentQuestions, "sync_status")
    list_select_related = ("directory_role", "user", "service_identity")
    autocomplete_fields = ("directory_role", "user", "service_identity")
    search_fields = ("directory_role__role_name", "user__upn", "user__display_name", "service_identity__name")
    search_through = {"directory_role": ("role_name",), "user": ("upn", "display_name"), "service_identity": ("name",)}
    search_help_text = f"Words from the role's name and the holder's, such as: reader ann. {SEARCH_RULE}"
    ordering = ("-pk",)
    sortable_by = ()
    fieldsets = (
        (None, {"fields": ("directory_role", "user", "service_identity")}),
        (
            "Time",
            {"fields": ("assigned_at", "assigned_by", "expires_at", "is_active", "revoked_at", "revoked_by")},
        ),
        (
            "Why",
            {
                "fields": (
                    "justification",
                    "ticket_number",
                    "assignment_source",
                    "source_system",
                    "assignment_context",
                    "approval_required",
                    "approved_by",
                    "approved_at",
                )
            },
        ),
        (
            "Emergency",
            {"fields": ("is_emergency", "emergency_justification", "emergency_approver", "auto_revoke_hours")},
        ),
        (
            "Risk and certification",
            {
                "fields": (
                    "risk_score",
                    "risk_assessment_date",
                    "requires_certification",
                    "last_certified",
                    "certified_by",
                    "next_certification_date",
                )
            },
        ),
        ("In Entra", {"fields": ("azure_assignment_id", "sync_status", "last_sync_attempt", "sync_error")}),
    )
