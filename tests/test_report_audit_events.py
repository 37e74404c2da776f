"""Counted events, against plain Python; and the edges of the two months that count."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from pam.company.load import Wish
from pam.models import AuditEventReport, AuditLog
from pam.postgres.months import Month
from tests.support.company import TINY, fill
from tests.support.reports import alike, rows_of
from tests.support.rows import build

DAY = timedelta(days=1)


@pytest.fixture
def eventful(migrated: str) -> str:
    """A database with events up to now, and some at the very edges of the two months that count."""
    now = timezone.now()
    fill(migrated, Wish(TINY, seed=7, months=3, until=now))
    month = Month.of(now)
    edge = timedelta(microseconds=1)
    for time in (month.plus(-1).start - edge, month.plus(-1).start, month.start, month.end - edge, month.end):
        for result in ("denied", "denied", "error"):
            event = build(AuditLog, timestamp=time, result=result, severity="critical", is_suspicious=True)
            event.save(using=migrated)
    return migrated


def events_by_day(alias: str, now: datetime) -> list[dict[str, Any]]:
    month = Month.of(now)
    groups: dict[Any, list[AuditLog]] = defaultdict(list)
    for event in AuditLog.objects.using(alias):
        if month.plus(-1).start <= event.timestamp < month.end:
            groups[event.timestamp.astimezone(UTC).date(), event.event_type, event.result].append(event)
    return [
        {
            "day": day,
            "event_type": event_type,
            "result": result,
            "events": len(events),
            "suspicious": sum(event.is_suspicious for event in events),
            "severe": sum(event.severity in ("high", "critical") for event in events),
        }
        for (day, event_type, result), events in groups.items()
    ]


def test_audit_events(eventful: str) -> None:
    rows = rows_of(AuditEventReport, eventful)
    now = rows[0]["refreshed_at"]
    alike(rows, events_by_day(eventful, now))
    days = {row["day"] for row in rows}
    assert min(days) == Month.of(now).plus(-1).start.date()
    assert max(days) == (Month.of(now).end - DAY).date()
    unsuccessful = AuditEventReport.objects.using(eventful).unsuccessful()
    assert {row.result for row in unsuccessful} == {"denied", "error"} | {
        row["result"] for row in rows if row["result"] == "failure"
    }
