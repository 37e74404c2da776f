"""What happened: to be read, and nothing else."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from pam.admin.table import TableAdmin
from pam.models import AuditLog

# Programs verify these; to a reader they say nothing.
HIDDEN = ("checksum", "signature")


@admin.register(AuditLog)
class AuditLogAdmin(TableAdmin):
    """Every column of an event. Nobody may add, change or delete one here, whatever their permissions."""

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
    actions = None
    # Ids and not the rows they name, which may be gone; the names stand beside them.
    fields = tuple(field.attname for field in AuditLog._meta.concrete_fields if field.name not in HIDDEN)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: AuditLog | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: AuditLog | None = None) -> bool:
        return False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return not lookup.startswith(HIDDEN) and super().lookup_allowed(lookup, value, request)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """A list without actions has nothing to take in."""
        if request.method == "POST":
            raise PermissionDenied
        return super().changelist_view(request, extra_context)
