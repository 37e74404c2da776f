"""Expressions for the queries of reports: their meaning does not depend on the session that refreshes the report.

A materialized view may be refreshed by anybody's cron, with any TimeZone and DateStyle. So months and days are those of
UTC, and `interval` arithmetic, which PostgreSQL does in the session's time zone, is done in UTC.
"""

from typing import Any

from django.db.models import CharField, DateTimeField, Func, TextField
from django.db.models.functions import Cast


class MonthStart(Func):
    """Midnight (UTC) of the first day of the month so many months after that of the refresh; earlier when negative.

    As of the start of the transaction. The server knows its value before it reads, and so prunes partitions by it.
    """

    template = (
        "((DATE_TRUNC('month', CURRENT_TIMESTAMP AT TIME ZONE 'UTC') + INTERVAL '%(months)s months')"
        " AT TIME ZONE 'UTC')"
    )
    output_field = DateTimeField()

    def __init__(self, months: int) -> None:
        super().__init__(months=int(months))


class DaysFromNow(Func):
    """So many times 24 hours after the start of the refreshing transaction; earlier when negative."""

    template = "((CURRENT_TIMESTAMP AT TIME ZONE 'UTC' + INTERVAL '%(days)s days') AT TIME ZONE 'UTC')"
    output_field = DateTimeField()

    def __init__(self, days: int) -> None:
        super().__init__(days=int(days))


class RowKey(Cast):
    """One text for the values that a row is unique by, the same at each refresh: a JSON array of them.

    Unlike columns that may be NULL it serves `REFRESH ... CONCURRENTLY`, which finds the row again by it, and Django as
    the primary key. NULL differs from the empty text in it, and no text can look like two.
    """

    def __init__(self, *values: Any) -> None:
        array = Func(*values, function="JSONB_BUILD_ARRAY", output_field=CharField())
        super().__init__(array, TextField())
