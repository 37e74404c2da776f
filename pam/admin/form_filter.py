"""A filter that somebody types, where to offer all that there is would be to read it."""

from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.views.main import IGNORED_PARAMS, PAGE_VAR, SEARCH_VAR, ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest

# What the form of a filter does not carry on: the page of the list, and a complaint about its address.
NOT_CARRIED = {*IGNORED_PARAMS, PAGE_VAR} - {SEARCH_VAR}


@dataclass(frozen=True)
class Input:
    """A field of the form: its name in the address, its label, its type in HTML, and what is in it."""

    name: str
    label: str
    value: str = ""
    kind: str = "text"


class FormFilter(admin.ListFilter):
    """A filter that is typed into a form, which is sent as an address and needs no script.

    What cannot be read finds nothing, and a message says why: `rows` raises a ValueError for it.
    """

    template = "admin/form_filter.html"
    names: ClassVar[tuple[str, ...]]
    labels: ClassVar[tuple[str, ...]]
    hint: ClassVar[str] = ""

    def __init__(self, request: HttpRequest, params: MutableMapping[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)  # type: ignore[arg-type]
        for name in self.names:
            if values := params.pop(name, None):
                self.used_parameters[name] = values[-1].strip()

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return list(self.names)

    def value(self, name: str) -> str:
        """What was typed; empty if nothing was."""
        return str(self.used_parameters.get(name, ""))

    def inputs(self) -> list[Input]:
        """For the template: the fields of the form."""
        return [Input(name, label, self.value(name)) for name, label in zip(self.names, self.labels, strict=True)]

    def carried(self) -> list[tuple[str, str]]:
        """For the template: the rest of the address, which the form sends along."""
        rest = ((name, values) for name, values in self.request.GET.lists() if name not in {*self.names, *NOT_CARRIED})
        return [(name, value) for name, values in rest for value in values]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        nothing: dict[str, Any] = dict.fromkeys(self.names)
        yield {
            "selected": not any(self.used_parameters.values()),
            "query_string": changelist.get_query_string(nothing),
            "display": "All",
        }

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Any]:
        rows: QuerySet[Any] = queryset
        if not any(self.used_parameters.values()):
            return rows
        try:
            return self.rows(rows)
        except ValueError as error:
            messages.warning(request, f"Nothing was looked for by {self.title}: {error}.")
            return rows.none()

    def rows(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """The rows that were asked for."""
        raise NotImplementedError
