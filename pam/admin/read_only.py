"""Pages that are to be read, and nothing else."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from pam.admin.table import TableAdmin


class ReadOnlyAdmin(TableAdmin):
    """Nobody may add, change or delete a row here, whatever their permissions."""

    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """A list without actions has nothing to take in."""
        if request.method == "POST":
            raise PermissionDenied
        return super().changelist_view(request, extra_context)
