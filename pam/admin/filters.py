"""List filters that several tables share."""

from collections.abc import Callable, Iterator, Mapping
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
    """The questions of a table that have a name, each a method of its queryset."""

    title = "question"
    parameter_name = "question"
    questions: ClassVar[Mapping[str, Callable[[Any], QuerySet[Any]]]]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name.replace("_", " ").capitalize()) for name in self.questions]

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Any]:
        rows: QuerySet[Any] = queryset
        ask = self.questions.get(self.value() or "")
        return ask(rows) if ask else rows
