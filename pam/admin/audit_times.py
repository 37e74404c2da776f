"""Which time of the audit log an address speaks of: `happened`, `period`, `from` and `to`, as a span in UTC."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pam.admin.periods import Period

PERIODS: Mapping[str, tuple[str, timedelta]] = {
    "hour": ("Last hour", timedelta(hours=1)),
    "day": ("Last 24 hours", timedelta(days=1)),
    "week": ("Last 7 days", timedelta(days=7)),
    "month": ("Last 30 days", timedelta(days=30)),
}


@dataclass(frozen=True)
class Span:
    """The times `[start, end)`, in UTC; None is an open end."""

    start: datetime | None = None
    end: datetime | None = None


def span_of(asked: Mapping[str, str], now: datetime) -> Span:
    """The times in which all that was asked for holds. ValueError, in words for a reader, if it cannot be read.

    A time without a zone is in UTC, a date is its first moment. A period ends at `now`.
    """
    start, end = _time(asked, "from"), _time(asked, "to")
    for since, until in _periods(asked, now):
        start, end = max(start or since, since), min(end or until, until)
    if start and end and end <= start:
        raise ValueError("it ends before it begins")
    return Span(start, end)


def _periods(asked: Mapping[str, str], now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The year, month or day, and the period until now."""
    if happened := asked.get("happened"):
        period = Period.read(happened)
        yield period.start, period.end
    if name := asked.get("period"):
        if name not in PERIODS:
            raise ValueError(f"there is no such period; there are {', '.join(PERIODS)}")
        yield now - PERIODS[name][1], now


def _time(asked: Mapping[str, str], name: str) -> datetime | None:
    text = asked.get(name, "").strip()
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"“{name}” is a time such as 2026-03-01T13:00:00, in UTC") from None
