"""What happened: to be read, and nothing else."""

from django.contrib import admin
from django.http import HttpRequest

from pam.admin.periods import PeriodFilter
from pam.admin.read_only import ReadOnlyAdmin
from pam.admin.table import SEARCH_RULE
from pam.models import AuditLog

# Programs verify these; to a reader they say nothing.
HIDDEN = ("checksum", "signature")


class Happened(PeriodFilter):
    """When events happened, by which their table is cut into months."""

    title = "happened (UTC)"
    parameter_name = "happened"
    time = "timestamp"


@admin.register(AuditLog)
class AuditLogAdmin(ReadOnlyAdmin):
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
    list_filter = (Happened, "timestamp", "event_type", "result", "severity", "is_suspicious")
    # Other columns have no index that could give the first page of a large table.
    sortable_by = ("timestamp",)
    search_fields = ("description", "details")
    search_help_text = f"{SEARCH_RULE} Choose a month first: a search over all of them reads the index of each."
    ordering = ("-timestamp",)
    # Ids and not the rows they name, which may be gone; the names stand beside them.
    fields = tuple(field.attname for field in AuditLog._meta.concrete_fields if field.name not in HIDDEN)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return not lookup.startswith(HIDDEN) and super().lookup_allowed(lookup, value, request)
