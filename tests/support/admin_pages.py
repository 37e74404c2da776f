"""What there is to see in the admin, by names that are the same in every database of the same kind."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db import models
from django.test import Client

from pam.admin.periods import PeriodFilter
from pam.models import AuditLog
from tests.support.admin import url
from tests.support.at_size import NEEDLE

FIRST = "first page"
# What is typed into the forms beside the list of events.
TYPED = (("actor: a UPN", "actor=adm-0%40contoso.example"), ("compliance framework: SOX", "framework=SOX"))


def pages(browser: Client, model: type[models.Model], *, some: bool = False) -> Iterator[tuple[str, str]]:
    """What a list offers, and its first row: name and address of each page. With `some`, one choice of each filter."""
    address = url(model, "changelist")
    first = browser.get(address).context["cl"]
    yield FIRST, address
    if first.paginator.num_pages > 1:
        yield "last page", f"{address}?p={first.paginator.num_pages}"
    for spec in first.filter_specs:
        choices = [choice for choice in spec.choices(first) if not choice["selected"]]
        for choice in choices[-1:] if some else choices:
            yield f"{spec.title}: {choice['display']}", address + choice["query_string"]
        if isinstance(spec, PeriodFilter):
            yield from _within_the_last_year(browser, address, spec)
    yield "search", f"{address}?q={NEEDLE}"
    if not some:
        for name, query in TYPED if model is AuditLog else ():
            yield name, f"{address}?{query}"
        yield from _orders(address, first)
        yield "a row", url(model, "change", first.result_list[0])
        yield from _references(model)


def _within_the_last_year(browser: Client, address: str, spec: PeriodFilter) -> Iterator[tuple[str, str]]:
    """A month, a day, and a search in the month; the year before this one has all of them."""
    years = [str(text) for text, _ in spec.lookup_choices]
    changelist = browser.get(f"{address}?{spec.parameter_name}={years[min(1, len(years) - 1)]}").context["cl"]
    (within,) = (one for one in changelist.filter_specs if isinstance(one, PeriodFilter))
    month = within.lookup_choices[-1][0]
    for name, query in (
        ("a month", f"{spec.parameter_name}={month}"),
        ("a day", f"{spec.parameter_name}={month}-01"),
        ("search in a month", f"{spec.parameter_name}={month}&q={NEEDLE}"),
    ):
        yield f"{spec.title}: {name}", f"{address}?{query}"


def _orders(address: str, changelist: Any) -> Iterator[tuple[str, str]]:
    for number, column in enumerate(changelist.list_display):
        if column in changelist.sortable_by and changelist.get_ordering_field(column):
            yield f"by {column}", f"{address}?o={number}"
            yield f"by {column}, descending", f"{address}?o=-{number}"


def _references(model: type[models.Model]) -> Iterator[tuple[str, str]]:
    """What autocomplete offers for each reference before something is typed, and then."""
    asked = {"app_label": "pam", "model_name": str(model._meta.model_name)}
    for field in admin.site.get_model_admin(model).autocomplete_fields:
        for name, term in (("nothing typed", ""), ("a word typed", NEEDLE)):
            query = urlencode({**asked, "field_name": field, "term": term})
            yield f"choose a {field.replace('_', ' ')}, {name}", f"/admin/autocomplete/?{query}"
