"""What the database refuses is told on the page, and nobody meets a traceback."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import ValidationError
from django.db import DatabaseError, DataError, IntegrityError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from pam.admin.forms import STALE
from pam.errors import StaleRowError
from pam.postgres.errors import UNDEFINED_FUNCTION, primary, sqlstate


class RefusalAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Forms look for staleness and broken rules; somebody may come between that look and the save."""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        view = super().changelist_view
        return self.message_if_refused(request, lambda: view(request, extra_context))

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        view = super().changeform_view
        return self.message_if_refused(request, lambda: view(request, object_id, form_url, extra_context))

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        view = super().delete_view
        return self.message_if_refused(request, lambda: view(request, object_id, extra_context))

    def response_action(self, request: HttpRequest, *args: Any, **options: Any) -> Any:
        """Django asks the database for whatever is sent as the key of a row, and fails at what cannot be one."""
        try:
            for key in request.POST.getlist(ACTION_CHECKBOX_NAME):
                self.opts.pk.to_python(key)
        except ValidationError:
            self.message_user(request, "Nothing was done: what was sent selects no row.", messages.ERROR)
            return None
        return super().response_action(request, *args, **options)

    def message_if_refused(self, request: HttpRequest, view: Callable[[], HttpResponse]) -> HttpResponse:
        """The view's transaction is over when an error arrives here, so nothing of it is left.

        A page that was only to be shown would lead to itself for ever: there the error is one of ours.
        """
        try:
            return view()
        except (StaleRowError, DatabaseError) as error:
            if request.method != "POST" or not is_refusal(error):
                raise
            self.message_user(request, refusal(error), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())


def is_refusal(error: StaleRowError | DatabaseError) -> bool:
    """Whether what was sent is at fault: the row, its values, or a filter in the address that the database has not."""
    is_of_rows = isinstance(error, (StaleRowError, IntegrityError, DataError))
    return is_of_rows or sqlstate(error) == UNDEFINED_FUNCTION


def refusal(error: StaleRowError | DatabaseError) -> str:
    """For a reader, in one sentence; without the row that was refused, which may not be for his eyes."""
    if isinstance(error, StaleRowError):
        return STALE
    return f"The database refused this, and nothing was changed: {primary(error)}"
