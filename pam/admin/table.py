"""What the pages of all tables share, read-only ones too: nothing on them reads a whole table."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.db import connections
from django.db.models import JSONField, Model, Prefetch, QuerySet
from django.http import HttpRequest

from pam.admin.bounded import BoundedAdmin, BoundedList
from pam.admin.filters import order_of_question
from pam.admin.paginator import CappedPaginator
from pam.errors import TooFewLettersError, TooManyWordsError
from pam.postgres.index_order import in_index_order
from pam.querysets.search import LEAST_LETTERS, words_through

SEARCH_RULE = f"At least one word of {LEAST_LETTERS} letters or digits; shorter ones may stand beside it."


class TableList(BoundedList):
    """Django's list, which is sorted by nothing but what it offers to be sorted by, or as its question wants it."""

    def get_ordering_field(self, field_name: Any) -> Any:
        """Django offers `sortable_by` in the heads of the columns, and takes any column from the address."""
        return super().get_ordering_field(field_name) if field_name in (self.sortable_by or ()) else None

    def get_queryset(self, request: HttpRequest, *args: Any, **options: Any) -> Any:
        """Without JSON, which no list shows."""
        return _without_json(super().get_queryset(request, *args, **options))

    def get_results(self, request: HttpRequest) -> None:
        """A question is read in its order, unless it is searched too: what trigrams find, only a bitmap gathers.

        The rows of a single page are those that its paginator has read already.
        """
        in_order = order_of_question(self.list_filter, request.GET) is not None and not self.query
        with in_index_order(connections[self.queryset.db]) if in_order else nullcontext():
            super().get_results(request)
        if not self.multi_page:
            self.result_list = self.paginator.page(1).object_list

    def apply_select_related(self, qs: Any) -> Any:
        """Django would join first, and then sort and skip. What a page refers to is asked for by its keys."""
        named = self.list_select_related
        if not isinstance(named, tuple | list):
            return super().apply_select_related(qs)
        return qs.prefetch_related(*(Prefetch(name, _without_json(_all_of(self.model, name))) for name in named))

    def _get_default_ordering(self) -> Any:
        """By this the heads of the columns tell how the list is sorted."""
        question = order_of_question(self.list_filter, self.params)
        return question or super()._get_default_ordering()  # type: ignore[misc]


class TableAdmin(BoundedAdmin):
    """Lists that stay fast on a table of any size.

    `search_fields` only tells Django that there is a search; `search()` is the search. With `search_through` it is by
    what rows refer to: references, each with the columns of the table that it leads to.
    """

    # What to do where there are no rows at all, in a sentence.
    when_empty: ClassVar[str] = (
        "Add the first one, or load a made-up company: python manage.py pam_load --profile small"
    )

    paginator = CappedPaginator
    list_per_page = 50
    # Nothing is shown all at once: of many lists it is only known that they have more than a page.
    list_max_show_all = 0
    # Both would count all rows: the second number beside a search, and the counts beside the filters.
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    search_help_text = SEARCH_RULE
    search_through: ClassVar[Mapping[str, Sequence[str]]] = {}

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        return TableList

    def get_paginator(self, request: HttpRequest, *args: Any, **options: Any) -> Any:
        """It reads the page that is asked for, by a list or by autocomplete, which call its number differently."""
        try:
            wanted = int(request.GET.get("page" if is_autocomplete(request) else PAGE_VAR, 1))
        except ValueError:
            wanted = 1  # as Django takes it, or it tells that there is no such page
        return self.paginator(*args, wanted=max(wanted, 1), **options)

    def get_ordering(self, request: HttpRequest) -> Any:
        """A question has an order of its own, which its index has."""
        return order_of_question(self.list_filter, request.GET) or super().get_ordering(request)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[QuerySet[Any], bool]:
        """For the list and for autocomplete; no row is found twice."""
        try:
            return self.search(queryset, search_term), False
        except TooManyWordsError as error:
            told = f"Nothing was searched: at most {error.most} words, please."
        except TooFewLettersError as error:
            told = f"Nothing was searched: at least one word of {error.least} letters or digits, please."
        # Autocomplete has no place for it; it would be told on whatever page comes next.
        if not is_autocomplete(request):
            self.message_user(request, told, messages.WARNING)
        return queryset.none(), False

    def search(self, rows: Any, text: str) -> QuerySet[Any]:
        """A search that a trigram index serves, as Django's would not."""
        found: QuerySet[Any]
        if self.search_through:
            found = rows.filter(words_through(rows, text, self.search_through))
        else:
            found = rows.search(text)
        return found


def _without_json(rows: QuerySet[Any]) -> QuerySet[Any]:
    return rows.defer(*(field.name for field in rows.model._meta.fields if isinstance(field, JSONField)))


def _all_of(model: type[Model], reference: str) -> QuerySet[Any]:
    """The rows that a reference may lead to, deleted ones too."""
    led_to: Any = model._meta.get_field(reference).related_model
    rows: QuerySet[Any] = led_to._base_manager.all()
    return rows


def is_autocomplete(request: HttpRequest) -> bool:
    """Whether somebody types into the field of a reference, and is offered rows."""
    return request.resolver_match is not None and request.resolver_match.url_name == "autocomplete"
