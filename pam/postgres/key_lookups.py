"""Looking a row up by its id touches one month: a UUIDv7 says when its row is, and the condition says it to the server.

Without it, `id = X` on a table of 84 months probes 84 indexes. With it the planner prunes all months but one. Django
comes through these lookups in get(), filter(pk=...), save(), delete() and refresh_from_db().
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Lookup
from django.db.models.expressions import Col
from django.db.models.lookups import Exact, In
from django.db.models.sql.compiler import SQLCompiler

from pam.postgres.fields import UUIDv7Field
from pam.postgres.months import Month
from pam.postgres.uuid7 import EPOCH

MILLISECOND = timedelta(milliseconds=1)
# The ids of a list lie in as many spans as months; beyond this many, one span from the first to the last.
MOST_SPANS = 12

Span = tuple[datetime, datetime]


def span_of(key: Any) -> Span | None:
    """The half-open millisecond `[start, end)`, in UTC, in which the row of this id must be; None for other ids.

    What says so is the CHECK `ck_<table>_id_time` (see `pam.postgres.uuid7.IdCarriesTime`), by the version alone.
    """
    if not isinstance(key, UUID) or str(key)[14] != "7":
        return None
    try:
        start = EPOCH + (key.int >> 80) * MILLISECOND
        return start, start + MILLISECOND
    except OverflowError:  # a time after the year 9999, which Python cannot say
        return None


def spans_of(keys: Iterable[Any]) -> list[Span]:
    """The spans in which the rows of these ids must be, one for each month; empty if that of one id is not known."""
    by_month: dict[Month, list[Span]] = defaultdict(list)
    for key in keys:
        span = span_of(key)
        if span is None:
            return []
        by_month[Month.of(span[0])].append(span)
    groups = list(by_month.values())
    if len(groups) > MOST_SPANS:
        groups = [[span for group in groups for span in group]]
    return [(min(start for start, _ in group), max(end for _, end in group)) for group in groups]


def _within(lookup: "Lookup[Any]", connection: BaseDatabaseWrapper, keys: Iterable[Any]) -> tuple[str, list[Any]]:
    """The condition on the time column that follows from the keys; empty where nothing follows."""
    lhs = lookup.lhs
    if not isinstance(lhs, Col) or not _is_key_of_months(lhs.target):
        return "", []
    spans = spans_of(keys)
    if not spans:
        return "", []
    quote = connection.ops.quote_name
    time = cast("Field[Any, Any]", lhs.target.model._meta.get_field(cast(UUIDv7Field, lhs.target).time_field))
    column = f"{quote(str(lhs.alias))}.{quote(str(time.column))}"
    condition = " OR ".join(f"({column} >= %s AND {column} < %s)" for _ in spans)
    return f" AND ({condition})", [moment for span in spans for moment in span]


def _is_key_of_months(field: Any) -> bool:
    """Whether a column is the key of a table that is partitioned by the very time that the key carries."""
    meta = getattr(field.model, "_partitioning_meta", None)
    return isinstance(field, UUIDv7Field) and field.primary_key and meta is not None and field.time_field in meta.key


class KeyExact(Exact):
    """`id = X`, and the time that X carries."""

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        condition, params = super().as_sql(compiler, connection)
        if not self.rhs_is_direct_value():
            return condition, params
        more, moments = _within(self, connection, [self.rhs])
        return (f"({condition}{more})", [*params, *moments]) if more else (condition, params)


class KeyIn(In):
    """`id IN (...)`, and the times that these ids carry."""

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        condition, params = super().as_sql(compiler, connection)
        if not self.rhs_is_direct_value():
            return condition, params
        more, moments = _within(self, connection, [key for key in self.rhs if key is not None])
        return (f"({condition}{more})", [*params, *moments]) if more else (condition, params)


def register_key_lookups() -> None:
    """Make every UUIDv7Field compare by them."""
    UUIDv7Field.register_lookup(KeyExact)
    UUIDv7Field.register_lookup(KeyIn)
