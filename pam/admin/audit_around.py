"""What happened around an event: in the same session, under the same correlation, in the same request."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db.models import F, QuerySet, Value
from django.db.models.functions import Greatest

from pam.models import AuditLog

MOST = 20
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SHOWN = ("timestamp", "action", "result", "actor_upn", "target_resource_name")

# By column: what events have in common, and how far before and after the event they are looked for. A session has an
# index; the others are found among all events of that time, which has one.
TIES: Mapping[str, tuple[str, timedelta]] = {
    "session_id": ("Same session", DAY),
    "correlation_id": ("Same correlation", HOUR),
    "request_id": ("Same request", HOUR),
}


@dataclass(frozen=True)
class Around:
    """Events in `[start, end)`, in UTC, that have `column` in common with one; oldest first, itself not among them."""

    column: str
    title: str
    value: str
    start: datetime
    end: datetime
    events: tuple[AuditLog, ...]
    are_more: bool

    @property
    def query(self) -> str:
        """What the address of the list says to show all of them."""
        times = {"from": self.start.isoformat(), "to": self.end.isoformat()}
        return urlencode({self.column: self.value, **times})


def around(event: AuditLog, events: QuerySet[AuditLog, Any]) -> list[Around]:
    """The nearest MOST of `events` by each tie that the event has: one query each, over two months at most."""
    return [
        _tied(event, events, column, title, span)
        for column, (title, span) in TIES.items()
        if getattr(event, column) not in (None, "")
    ]


def window(time: datetime, span: timedelta) -> tuple[datetime, datetime]:
    """Whole seconds `[start, end)`, no less than `span` before and after."""
    return (time - span).replace(microsecond=0), (time + span).replace(microsecond=0) + timedelta(seconds=1)


def tied(event: AuditLog, events: QuerySet[AuditLog, Any], column: str, span: timedelta) -> QuerySet[AuditLog, Any]:
    """Those with the same `column`, the nearest in time first, the event itself among them."""
    start, end = window(event.timestamp, span)
    time = Value(event.timestamp)
    rows = events.filter(timestamp__gte=start, timestamp__lt=end, **{column: getattr(event, column)})
    return rows.order_by(Greatest(F("timestamp") - time, time - F("timestamp")), "pk").only(*SHOWN)


def _tied(event: AuditLog, events: QuerySet[AuditLog, Any], column: str, title: str, span: timedelta) -> Around:
    start, end = window(event.timestamp, span)
    others = [row for row in tied(event, events, column, span)[: MOST + 2] if row.pk != event.pk]
    nearest = tuple(sorted(others[:MOST], key=lambda row: (row.timestamp, row.pk)))
    return Around(column, title, str(getattr(event, column)), start, end, nearest, len(others) > MOST)
