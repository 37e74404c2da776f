"""Reports: what the materialized views say, under a line that says how old it is."""

from typing import Any

from django.contrib import admin, messages
from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.timesince import timesince

from pam.admin.form_filter import FormFilter
from pam.admin.paginator import CappedPaginator
from pam.admin.read_only import ReadOnlyAdmin
from pam.models import AccountRiskReport, AuditEventReport, CredentialRotationReport, PrivilegedAccessReport
from pam.postgres.view_age import Filling, ViewAge, age_of

# What helps where there is nothing to be shown; a report without rows is shown as such.
CURES = {
    Filling.NOT_THERE: "python manage.py migrate",
    Filling.NEVER_FILLED: "python manage.py pgrefreshmv pam {report}",
    Filling.NOT_READABLE: "GRANT SELECT ON {view} TO {role}",
}


class ReportPaginator(CappedPaginator):
    """A report has no narrow index to count in: each row that is counted is read."""

    most_counted = 1000


class ReportAdmin(ReadOnlyAdmin):
    """A report. Its age stands above the rows; it is refreshed by `pgrefreshmv`, not from here."""

    when_empty = "There is nothing in the tables that it would tell of."
    paginator = ReportPaginator

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        age = self._age()
        if age.filling in CURES:
            return self._nothing_to_show(request, age)
        return super().changelist_view(request, {"subtitle": told(age), **(extra_context or {})})

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        age = self._age()
        if age.filling in CURES:
            return self._nothing_to_show(request, age)
        return super().changeform_view(request, object_id, form_url, {"subtitle": told(age), **(extra_context or {})})

    def _age(self) -> ViewAge:
        return age_of(self._connection, self.opts.db_table)

    @property
    def _connection(self) -> BaseDatabaseWrapper:
        return connections[router.db_for_read(self.model)]

    def _nothing_to_show(self, request: HttpRequest, age: ViewAge) -> HttpResponse:
        role = self._connection.settings_dict["USER"]
        cure = CURES[age.filling].format(report=self.opts.object_name, view=age.view, role=role)
        self.message_user(request, f"{age.view} {age.filling}. To mend it: {cure}", messages.ERROR)
        return HttpResponseRedirect(reverse("admin:index"))


def told(age: ViewAge) -> str:
    """The age of what is below, for a reader."""
    if age.refreshed_at is None or age.age is None:
        return "No rows, so nobody can tell how old this is."
    ago = timesince(age.refreshed_at, age.refreshed_at + age.age)
    return f"As of {age.refreshed_at:%Y-%m-%d %H:%M} UTC, {ago} ago"


class DepartmentFilter(FormFilter):
    """To offer all departments, each row of the report would be read."""

    title = "department"
    names = ("department",)
    labels = ("Department",)
    hint = "The whole name; a part of it finds the search."

    def rows(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.filter(department=self.value("department"))


@admin.register(PrivilegedAccessReport)
class PrivilegedAccessAdmin(ReportAdmin):
    """Who holds which role, by role and department."""

    list_display = (
        "role_name",
        "department",
        "is_privileged",
        "risk_level",
        "assignments",
        "users",
        "service_identities",
        "emergencies",
        "without_end",
        "past_end",
        "to_certify",
        "of_closed_holders",
    )
    list_filter = ("is_privileged", "risk_level", DepartmentFilter)
    search_fields = ("role_name", "department")
    ordering = ("-is_privileged", "-assignments", "key")


@admin.register(CredentialRotationReport)
class CredentialRotationReportAdmin(ReportAdmin):
    """Whether secrets are renewed in time."""

    list_display = (
        "department",
        "environment",
        "credential_type",
        "credentials",
        "percent",
        "overdue",
        "unscheduled",
        "due_soon",
        "rotated_by_hand",
        "rotation_failed",
        "expired",
        "oldest_due",
    )
    list_filter = ("environment", "credential_type", "department")
    search_fields = ("department", "environment", "credential_type")
    ordering = ("-overdue", "key")

    @admin.display(description="% on schedule")
    def percent(self, row: CredentialRotationReport) -> str:
        return f"{row.percent_on_schedule:.1f}"


@admin.register(AuditEventReport)
class AuditEventReportAdmin(ReportAdmin):
    """What happened, by day, type and result."""

    list_display = ("day", "event_type", "result", "events", "suspicious", "severe")
    list_filter = ("day", "event_type", "result")
    search_fields = ("event_type", "result")
    ordering = ("-day", "event_type", "result")


@admin.register(AccountRiskReport)
class AccountRiskAdmin(ReportAdmin):
    """Accounts that somebody should look at."""

    list_display = (
        "name",
        "kind",
        "department",
        "is_closed",
        "is_dormant",
        "is_risky",
        "risk_level",
        "risk_score",
        "last_seen",
        "roles",
        "privileged_roles",
    )
    list_filter = ("kind", "is_closed", "is_dormant", "is_risky", "risk_level", "compliance_status")
    # By this departments are found too: to offer them all, every account would be read.
    search_fields = ("name", "department")
    ordering = ("-privileged_roles", "-roles", "key")
