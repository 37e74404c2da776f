"""A search of the audit log that has no beginning: the newest months first, as many as one page may cost."""

import json
from collections.abc import Iterator
from typing import Any

from django.contrib.admin.views.main import PAGE_VAR
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
        if self.query and not events.query.is_empty() and span_of(request.GET.dict(), timezone.now()).start is None:
            self.searched_since = searched_since(events, MOST)
            if self.searched_since:
                return events.filter(timestamp__gte=self.searched_since.start)
        return events

    def further_back(self) -> str:
        """For the template: the address of the same search before that month."""
        until = self.searched_since.start.isoformat() if self.searched_since else None
        return self.get_query_string({"to": until}, [PAGE_VAR])


def searched_since(rows: QuerySet[Any], most: float) -> Month | None:
    """The first of the months that cost `most` together, counted from the newest that is asked for, which is among
    them; None if all of them do, or if the table has no months. Locks: ACCESS SHARE, as to read them."""
    connection = connections[rows.db]
    table = catalog.relation(connection, connection.ops.quote_name(rows.model._meta.db_table))
    months = [one for one in months_of(connection, table) if one.month] if table else []
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
    (explained,) = json.loads(rows.order_by().values("pk").explain(format="json", verbose=True))
    return {
        f"{node['Schema']}.{node['Relation Name']}": float(node["Total Cost"])
        for node in _nodes(explained["Plan"])
        if "Relation Name" in node
    }


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)
