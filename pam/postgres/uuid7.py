"""UUIDv7 keys made from a row's own time, and the CHECK that holds the two together.

A v7 id carries its time in its first 48 bits, in milliseconds since 1970. Rows of one month therefore lie side by side
in the primary key's index, and an id alone tells in which month its row must be.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, Func
from django.db.models.sql.compiler import SQLCompiler
from uuid_utils.compat import uuid7

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def uuid7_at(time: datetime) -> UUID:
    """A new UUIDv7 that carries `time`, which must be aware and not before 1970."""
    if time.tzinfo is None:
        raise ValueError(f"A UUIDv7 needs an aware time; {time.isoformat()} has no time zone.")
    if time < EPOCH:
        raise ValueError(f"A UUIDv7 cannot carry a time before 1970: {time.isoformat()}.")
    # Integers all the way: as a float, a time of today is off by up to a quarter of a microsecond, and may round up.
    microseconds = (time - EPOCH) // MICROSECOND
    return uuid7(nanoseconds=microseconds * 1000)


class IdCarriesTime(Func):
    """SQL condition: the id is not a UUIDv7, or its milliseconds are those of the row's time.

    An id of another version, from an import, says nothing about time and is let through. Spelled with text and bits
    since PostgreSQL has `uuid_extract_timestamp` only from 17 on; `floor` as an id cuts the microseconds off too.
    """

    output_field = BooleanField()

    def __init__(self, key: str, time: str) -> None:
        super().__init__(key, time)

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        """The casts are for Django, which checks a row in Python by putting parameters where the columns stand."""
        key, time = (compiler.compile(source) for source in self.get_source_expressions())
        condition = (
            f"substr({key[0]}::uuid::text, 15, 1) <> '7' OR "
            f"('x' || translate(left({key[0]}::uuid::text, 13), '-', ''))::bit(48)::bigint = "
            f"floor(extract(epoch FROM {time[0]}::timestamptz) * 1000)"
        )
        return f"({condition})", [*key[1], *key[1], *time[1]]
