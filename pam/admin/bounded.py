"""Lists that end in time, and tell a wrong filter in the address as such, whoever finds it wrong."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ERROR_FLAG, ChangeList
from django.core.exceptions import EmptyResultSet
from django.db import DatabaseError, DataError, OperationalError, connections, router
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from pam.admin.periods import PeriodFilter
from pam.postgres.errors import QUERY_CANCELED, UNDEFINED_FUNCTION, sqlstate
from pam.postgres.locks import statement_limit

# How long a statement of a list may run, in milliseconds: nobody waits longer, and the server has other things to do.
LIST_MS = 10_000


class BoundedList(ChangeList):
    """Django's list; what only the SQL finds wrong, such as a year 0, is told like what Django finds wrong before."""

    def get_queryset(self, request: HttpRequest, *args: Any, **options: Any) -> Any:
        rows = super().get_queryset(request, *args, **options)
        try:
            rows.query.sql_with_params()
        except EmptyResultSet:
            pass  # nothing is asked of the database then
        except (ValueError, IndexError) as error:
            raise IncorrectLookupParameters(error) from error
        return rows


class BoundedAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """A list of which no statement runs longer than LIST_MS."""

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        return BoundedList

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """A list that takes too long is given up, and the page says what to do instead. What is sent has no limit."""
        view = super().changelist_view
        if request.method == "POST":
            return view(request, extra_context)
        try:
            with statement_limit(connections[router.db_for_read(self.model)], LIST_MS):
                page = view(request, extra_context)
                # The rows are read by the template.
                return page.render() if isinstance(page, TemplateResponse) else page
        except OperationalError as error:
            if sqlstate(error) != QUERY_CANCELED:
                raise
            return self._too_slow(request)
        except DatabaseError as error:
            # A filter in the address that the database finds wrong, such as half of a regular expression, or that asks
            # for a function that it has not: Django's way to tell it.
            if ERROR_FLAG in request.GET or not is_of_filter(error):
                raise
            return HttpResponseRedirect(f"{request.path}?{ERROR_FLAG}=1")

    def _too_slow(self, request: HttpRequest) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": "This takes too long",
            "opts": self.opts,
            "seconds": LIST_MS // 1000,
            "has_search": "q" in request.GET,
            "has_periods": any(isinstance(one, type) and issubclass(one, PeriodFilter) for one in self.list_filter),
        }
        return TemplateResponse(request, "admin/pam_too_slow.html", context, status=400)


def is_of_filter(error: DatabaseError) -> bool:
    """Whether a list could not be read for a filter in its address that the database finds wrong."""
    return isinstance(error, DataError) or sqlstate(error) == UNDEFINED_FUNCTION
