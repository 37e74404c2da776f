"""List filters that several tables share."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest


class DeletedFilter(admin.SimpleListFilter):
    """Rows that are marked as deleted stay out of sight unless somebody asks for them."""

    title = "deleted"
    parameter_name = "deleted"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Yes"), ("all", "All")]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """As Django's, whose first choice is All; here it is No."""
        (first, *rest) = super().choices(changelist)
        yield {**first, "display": "No"}
        yield from rest

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Any]:
        rows: QuerySet[Any] = queryset
        if self.value() != "all":
            rows = queryset.deleted() if self.value() == "yes" else queryset.alive()
        return rows


class QuestionFilter(admin.SimpleListFilter):
    """The questions of a table that have a name, each a method of its queryset.

    `orders` says by what a question is sorted, where that is not as the whole list is: as the index has it that
    answers the question, what is most urgent first.
    """

    title = "question"
    parameter_name = "question"
    questions: ClassVar[Mapping[str, Callable[[Any], QuerySet[Any]]]]
    orders: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name.replace("_", " ").capitalize()) for name in self.questions]

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Any]:
        rows: QuerySet[Any] = queryset
        ask = self.questions.get(self.value() or "")
        return ask(rows) if ask else rows


def order_of_question(list_filter: Iterable[Any], parameters: Mapping[str, Any]) -> tuple[str, ...] | None:
    """By what the question in the parameters of a page sorts the list; None if there is none, or it sorts nothing."""
    for one in list_filter:
        if isinstance(one, type) and issubclass(one, QuestionFilter):
            return one.orders.get(parameters.get(one.parameter_name, ""))
    return None
