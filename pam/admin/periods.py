"""A filter by year, month and day that leads down from one to the next, and reads only the months that it shows.

Django's `date_hierarchy` reads all rows of a year to find out which of its months have any.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, datetime, timedelta
from typing import Any, ClassVar, Self

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from pam.postgres import catalog
from pam.postgres.monthly_catalog import months_of
from pam.postgres.months import Month, months

WRITTEN = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?", re.ASCII)


@dataclass(frozen=True)
class Period:
    """A year, a month or a day of UTC, half-open `[start, end)`, written as `2026`, `2026-03` or `2026-03-17`."""

    text: str
    start: datetime
    end: datetime

    @classmethod
    def read(cls, text: str) -> Self:
        """Raises ValueError for what is no such text, or no such day."""
        written = WRITTEN.fullmatch(text)
        if not written:
            raise ValueError(f"{text!r} is no year, month or day")
        year, month, day = (int(part) if part else None for part in written.groups())
        if year is None or not 1 <= year < MAXYEAR:
            raise ValueError(f"{text!r} is no year that has a next one")
        start = datetime(year, month or 1, day or 1, tzinfo=UTC)
        if day:
            return cls(text, start, start + timedelta(days=1))
        if month:
            return cls(text, start, Month(year, month).end)
        return cls(text, start, datetime(year + 1, 1, 1, tzinfo=UTC))

    def way_to(self) -> list[str]:
        """The year, its month and its day, as far as this period goes."""
        return [self.text[:length] for length in (4, 7, 10) if length <= len(self.text)]


class PeriodFilter(admin.SimpleListFilter):
    """The rows of one year, month or day, by the column `time`. Of a partitioned table only these months are read."""

    time: ClassVar[str]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """All that can be chosen: what was chosen with what leads to it, and what it is made of."""
        period = self._period()
        rows = model_admin.get_queryset(request)
        within = parts(period, months_there(connections[rows.db], rows.model, self.time, timezone.now()))
        return [(text, text) for text in (*(period.way_to() if period else ()), *within)]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """As Django's; what leads to the choice is marked with it."""
        chosen = self.value() or ""
        (everything, *offered) = super().choices(changelist)
        yield everything
        for (text, _), choice in zip(self.lookup_choices, offered, strict=True):
            yield {**choice, "selected": chosen.startswith(str(text))}

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Any]:
        """Both bounds are constants, so that the planner leaves other months out."""
        rows: QuerySet[Any] = queryset
        period = self._period()
        return rows.filter(**{f"{self.time}__gte": period.start, f"{self.time}__lt": period.end}) if period else rows

    def _period(self) -> Period | None:
        text = self.value()
        try:
            return Period.read(text) if text else None
        except ValueError as error:
            raise IncorrectLookupParameters(error) from error


def parts(period: Period | None, there: list[Month]) -> list[str]:
    """The years that there are; the months of a year; the days of a month; of a day there are no parts."""
    if period is None:
        return sorted({f"{month.year:04}" for month in there}, reverse=True)
    if len(period.text) == 4:
        return [f"{month.year:04}-{month.month:02}" for month in there if month.year == period.start.year]
    if len(period.text) == 7:
        days = (period.end - period.start).days
        return [f"{period.text}-{day:02}" for day in range(1, days + 1)]
    return []


def months_there(connection: BaseDatabaseWrapper, model: type[Model], time: str, now: datetime) -> list[Month]:
    """The months until now that a table may have rows of, in the order of time: its partitions; of a plain table those
    from its first key to its last, since keys carry their time (see `uuid7`). Locks: none that anybody feels."""
    table = catalog.relation(connection, connection.ops.quote_name(model._meta.db_table))
    if table and table.is_partitioned:
        found = [partition.month for partition in months_of(connection, table) if partition.month]
    else:
        times = model._base_manager.using(connection.alias).order_by("pk").values_list(time, flat=True)
        first, last = times.first(), times.last()
        found = list(months(Month.of(first), Month.of(last))) if first and last else []
    return [month for month in found if month.start <= now]
