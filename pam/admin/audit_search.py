"""A search of the audit log that has no beginning: the newest months first, as many as one page may cost."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import connections
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from pam.admin.audit_times import span_of
from pam.admin.table import TableList
from pam.postgres import catalog
from pam.postgres.monthly_catalog import months_of
from pam.postgres.months import Month

# What a search may cost in the planner's unit, a page read in its turn: of months of 12,000 events 20 are searched by
# it, of the tiny ones of a young database all.
MOST = 1400.0


class SearchedList(TableList):
    """`searched_since` is the month before which nothing was searched; None if all was."""

    searched_since: Month | None = None

    def get_queryset(self, request: HttpRequest, *args: Any, **options: Any) -> Any:
        """Who says since when is taken at his word."""
        events = super().get_queryset(request, *args, **options)
        if not self.query.strip() or events.query.is_empty():
            return events
        try:
            span = span_of(request.GET.dict(), timezone.now())
        except ValueError:
            return events  # two filters that have no time in common: nothing is found
        if span.start is None:
            self.searched_since = searched_since(events, span.end, MOST)
        return events.filter(timestamp__gte=self.searched_since.start) if self.searched_since else events

    def further_back(self) -> str:
        """For the template: the address of the same search before that month."""
        until = self.searched_since.start.isoformat() if self.searched_since else None
        return self.get_query_string({"to": until})


def searched_since(rows: QuerySet[Any], end: datetime | None, most: float) -> Month | None:
    """The first of the months that cost `most` together, counted from the newest before `end`, which is among them;
    None if all of them do, or if the table has no months. Locks: ACCESS SHARE, as to read them."""
    connection = connections[rows.db]
    table = catalog.relation(connection, connection.ops.quote_name(rows.model._meta.db_table))
    months = [
        one
        for one in (months_of(connection, table) if table else [])
        if one.month and (not end or one.month.start < end)
    ]
    costs = _costs(rows) if months else {}
    first = None
    for partition in reversed([one for one in months if str(one.relation) in costs]):
        most -= costs[str(partition.relation)]
        if most < 0 and first:
            return first
        first = partition.month
    return None


def _costs(rows: QuerySet[Any]) -> dict[str, float]:
    """What the planner expects each table to cost that is read for these rows, in whatever order."""
    text = rows.order_by().values("pk").explain(format="json", verbose=True)
    if not text:
        return {}  # a number that no column can have: the database is not asked
    (explained,) = json.loads(text)
    return {
        f"{node['Schema']}.{node['Relation Name']}": float(node["Total Cost"])
        for node in _nodes(explained["Plan"])
        if "Relation Name" in node
    }


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)
