"""What happened: to be read, and nothing else."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import TextField
from django.db.models.functions import Cast
from django.http import HttpRequest

from pam.admin.audit_around import around
from pam.admin.audit_export import HIDDEN, JSON_COLUMNS, ExportAdmin
from pam.admin.audit_filters import (
    ActorFilter,
    CorrelationFilter,
    FrameworkFilter,
    RequestFilter,
    SessionFilter,
    TargetFilter,
    TimeFilter,
)
from pam.admin.periods import PeriodFilter
from pam.admin.table import SEARCH_RULE
from pam.differences import details_of, differences, read_json
from pam.models import AuditLog

# What the page of an event says in its own words first.
AS_RECORDED = ("details", "stored_previous_values", "stored_new_values")


class Happened(PeriodFilter):
    """When events happened, by which their table is cut into months."""

    title = "happened (UTC)"
    parameter_name = "happened"
    time = "timestamp"


@admin.register(AuditLog)
class AuditLogAdmin(ExportAdmin):
    """Every column of an event."""

    when_empty = "They are written when somebody signs in, or does something to a row."
    list_display = (
        "timestamp",
        "event_type",
        "action",
        "result",
        "severity",
        "actor_upn",
        "target_resource_name",
        "source_ip",
        "is_suspicious",
    )
    list_filter = (
        Happened,
        TimeFilter,
        ActorFilter,
        TargetFilter,
        "event_type",
        "result",
        "severity",
        "is_suspicious",
        FrameworkFilter,
        SessionFilter,
        CorrelationFilter,
        RequestFilter,
    )
    # Other columns have no index that could give the first page of a large table.
    sortable_by = ("timestamp",)
    search_fields = ("description", "details")
    search_help_text = f"{SEARCH_RULE} Without a time the newest months are searched, and from there further back."
    ordering = ("-timestamp",)
    # Ids and not the rows they name, which may be gone; the names stand beside them.
    fieldsets = (
        (
            None,
            {
                "fields": tuple(
                    field.attname
                    for field in AuditLog._meta.concrete_fields
                    if field.name not in (*HIDDEN, *JSON_COLUMNS, *AS_RECORDED)
                )
            },
        ),
        ("As recorded", {"classes": ("collapse",), "fields": AS_RECORDED}),
    )

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return not lookup.startswith(HIDDEN) and super().lookup_allowed(lookup, value, request)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """An event whose JSON is read as the text that it is: some of what the database takes Python cannot read."""
        events = self.get_queryset(request).defer(*JSON_COLUMNS)
        texts = {f"stored_{name}": Cast(name, TextField()) for name in JSON_COLUMNS}
        try:
            return events.annotate(**texts).get(pk=object_id)
        except (AuditLog.DoesNotExist, ValidationError):
            return None

    @admin.display(description="previous values")
    def stored_previous_values(self, event: Any) -> str | None:
        text: str | None = event.stored_previous_values
        return text

    @admin.display(description="new values")
    def stored_new_values(self, event: Any) -> str | None:
        text: str | None = event.stored_new_values
        return text

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any) -> Any:
        """The page of an event, with what is made of it for a reader, and what happened around it."""
        event: Any = options["obj"]
        before, after = read_json(event.stored_previous_values), read_json(event.stored_new_values)
        context |= {
            "differences": differences(before, after),
            "details": details_of(event.details),
            "around": around(event, self.get_queryset(request)),
        }
        return super().render_change_form(request, context, *args, **options)
