"""What happened: to be read, and nothing else."""

from django.contrib import admin
from django.http import HttpRequest

from pam.admin.read_only import ReadOnlyAdmin
from pam.models import AuditLog

# Programs verify these; to a reader they say nothing.
HIDDEN = ("checksum", "signature")


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
    list_filter = ("timestamp", "event_type", "result", "severity", "is_suspicious")
    # Other columns have no index that could give the first page of a large table.
    sortable_by = ("timestamp",)
    search_fields = ("description", "details")
    ordering = ("-timestamp",)
    # Ids and not the rows they name, which may be gone; the names stand beside them.
    fields = tuple(field.attname for field in AuditLog._meta.concrete_fields if field.name not in HIDDEN)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return not lookup.startswith(HIDDEN) and super().lookup_allowed(lookup, value, request)
