"""Sign-ins."""

from datetime import timedelta

from django.contrib import admin
from django.http import HttpRequest

from pam.admin.common import CommonAdmin
from pam.admin.duties import Duty
from pam.admin.filters import QuestionFilter
from pam.admin.periods import PeriodFilter
from pam.admin.table import SEARCH_RULE
from pam.duties import sessions
from pam.models import Session

HIDDEN = "session_token_hash"


class SessionQuestions(QuestionFilter):
    """The named questions about sessions."""

    questions = {
        "active": lambda sessions: sessions.active(),
        "nothing_for_30_minutes": lambda sessions: sessions.stale(timedelta(minutes=30)),
        "expired": lambda sessions: sessions.expired(),
    }
    orders = {"expired": ("expires_at",)}


class Began(PeriodFilter):
    """When sessions began, by which their table is cut into months."""

    title = "began (UTC)"
    parameter_name = "began"
    time = "created_at"


TERMINATE = Duty(
    name="terminate",
    label="Terminate selected %(verbose_name_plural)s",
    permission="terminate_session",
    perform=sessions.terminate,
    done="Sessions terminated",
)


@admin.register(Session)
class SessionAdmin(CommonAdmin):
    """A sign-in as it was recorded; only its end and what people think of it can be edited. The hash is never shown."""

    noun = "session"
    actions = (*CommonAdmin.actions, TERMINATE)
    when_empty = "They begin by sign-ins, which the programs that use this database record."
    list_display = ("user", "source_ip", "country_code", "last_activity", "is_active", "is_suspicious", "risk_score")
    list_filter = (SessionQuestions, Began, "is_suspicious", "last_activity")
    list_select_related = ("user",)
    # Other columns have no index that could give the first page of a large table.
    sortable_by = ("last_activity",)
    search_fields = ("user",)
    search_through = {"user": ("upn", "display_name", "email")}
    search_help_text = f"Name or address of the user. {SEARCH_RULE}"
    ordering = ("-last_activity",)
    readonly_fields = (
        "user",
        "last_activity",
        "expires_at",
        "authentication_method",
        "mfa_verified",
        "mfa_methods",
        "source_ip",
        "user_agent",
        "geographic_location",
        "country_code",
        "timezone",
        "device_fingerprint",
        "browser_name",
        "browser_version",
        "operating_system",
        "device_type",
        "is_mobile",
        "anomaly_score",
        "concurrent_session_count",
        "request_count",
        "privileged_operations_count",
        "failed_operations_count",
        "last_privileged_operation",
        "session_name",
        "application_context",
        "client_version",
    )
    fieldsets = (
        ("End", {"fields": ("is_active", "terminated_at", "termination_reason")}),
        ("Judgement", {"fields": ("is_suspicious", "risk_score", "security_flags", "compliance_notes")}),
        ("As recorded", {"fields": readonly_fields}),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A session begins by a sign-in."""
        return False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Nor can the hash be guessed digit by digit, by a filter in the address of the page."""
        return not lookup.startswith(HIDDEN) and super().lookup_allowed(lookup, value, request)
