"""What the pages of all tables share, read-only ones too: nothing on them reads a whole table."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from pam.admin.paginator import CappedPaginator
from pam.errors import TooManyWordsError


class TableAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Lists that stay fast on a table of any size.

    `search_fields` only tells Django that there is a search; `search()` is the search.
    """

    # What to do where there are no rows at all, in a sentence.
    when_empty: ClassVar[str] = (
        "Add the first one, or load a made-up company: python manage.py pam_load --profile small"
    )

    paginator = CappedPaginator
    list_per_page = 50
    # Both would count all rows: the second number beside a search, and the counts beside the filters.
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[QuerySet[Any], bool]:
        """For the list and for autocomplete; no row is found twice."""
        try:
            return self.search(queryset, search_term), False
        except TooManyWordsError as error:
            self.message_user(request, f"Nothing was searched: at most {error.most} words, please.", messages.WARNING)
            return queryset.none(), False

    def search(self, rows: Any, text: str) -> QuerySet[Any]:
        """The search of the table's own queryset, which a trigram index serves; Django's would not use one."""
        found: QuerySet[Any] = rows.search(text)
        return found
