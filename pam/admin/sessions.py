"""Sign-ins."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from pam.admin.common import CommonAdmin
from pam.admin.duties import Duty
from pam.admin.filters import QuestionFilter
from pam.duties import sessions
from pam.models import PrivilegedUser, Session

HIDDEN = "session_token_hash"


class SessionQuestions(QuestionFilter):
    """The named questions about sessions."""

    questions = {
        "active": lambda sessions: sessions.active(),
        "nothing_for_30_minutes": lambda sessions: sessions.stale(timedelta(minutes=30)),
        "expired": lambda sessions: sessions.expired(),
    }


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
    list_filter = (SessionQuestions, "is_active", "is_suspicious", "authentication_method", "last_activity")
    list_select_related = ("user",)
    # Other columns have no index that could give the first page of a large table.
    sortable_by = ("last_activity",)
    search_fields = ("user",)
    search_help_text = "Name or address of the user"
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

    def search(self, rows: Any, text: str) -> QuerySet[Any]:
        """By user, deleted ones too: the index over the sessions of a user serves it."""
        found: QuerySet[Any] = rows
        return found.filter(user__in=PrivilegedUser.all_objects.search(text)) if text else found
