"""People with privileges."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from pam.admin.common import CommonAdmin
from pam.admin.duties import Duty
from pam.admin.filters import QuestionFilter
from pam.admin.person import parts_of
from pam.duties import sessions, users
from pam.models import PrivilegedUser


class UserQuestions(QuestionFilter):
    """The named questions about people."""

    questions = {
        "active": lambda users: users.active(),
        "due_for_certification": lambda users: users.due_for_certification(),
    }
    orders = {"due_for_certification": ("next_certification_date",)}


DISABLE = Duty(
    name="disable",
    label="Disable selected %(verbose_name_plural)s",
    permission="disable_privilegeduser",
    perform=users.disable,
    done="Privileged users disabled",
)
ENABLE = Duty(
    name="enable",
    label="Enable selected %(verbose_name_plural)s",
    permission="enable_privilegeduser",
    perform=users.enable,
    done="Privileged users enabled",
)
TERMINATE_SESSIONS = Duty(
    name="terminate_sessions",
    label="Terminate all sessions of selected %(verbose_name_plural)s",
    permission="terminate_session",
    perform=sessions.terminate_of_users,
    done="Sessions terminated",
)


@admin.register(PrivilegedUser)
class PrivilegedUserAdmin(CommonAdmin):
    """An administrative account and the person behind it."""

    noun = "user"
    actions = (*CommonAdmin.actions, DISABLE, ENABLE, TERMINATE_SESSIONS)
    list_display = ("upn", "display_name", "department", "is_active", "risk_level", "compliance_status", "last_sign_in")
    list_filter = (UserQuestions, "is_active", "risk_level", "compliance_status")
    search_fields = ("upn", "display_name", "email")
    ordering = ("upn",)
    # Here and on the other lists: no other column has an index that gives the first page of a large table.
    sortable_by = ("upn", "display_name")
    # Entra counts these.
    readonly_fields = ("last_sign_in", "last_activity", "sign_in_count", "failed_sign_in_count")
    fieldsets = (
        (None, {"fields": ("upn", "display_name", "email", "azure_object_id")}),
        ("Ordinary account", {"fields": ("source_user_upn", "source_user_id", "source_user_email")}),
        (
            "Person",
            {
                "fields": (
                    "employee_type",
                    "department",
                    "job_title",
                    "company_name",
                    "office_location",
                    "manager_upn",
                    "usage_location",
                    "preferred_language",
                )
            },
        ),
        (
            "Access",
            {
                "fields": (
                    "is_active",
                    "account_enabled",
                    "blocked_sign_in",
                    "force_change_password",
                    "last_tap_generated",
                    "tap_count",
                    *readonly_fields,
                )
            },
        ),
        (
            "Risk and compliance",
            {
                "fields": (
                    "risk_level",
                    "risk_score",
                    "last_risk_assessment",
                    "compliance_status",
                    "last_compliance_check",
                    "certification_required",
                    "next_certification_date",
                )
            },
        ),
    )

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any) -> Any:
        """With the last of what the person holds and did."""
        user = context["original"]
        parts = parts_of(request, user) if user else []
        return super().render_change_form(request, {**context, "parts": parts}, *args, **options)
