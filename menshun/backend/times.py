"""Times that PostgreSQL has and Python has not: before the year 1 and after 9999.

Of a row with one of them nothing could be read, and of a list or an export with that row neither.
"""

from datetime import UTC, date, datetime
from typing import Any, TypeVar

from psycopg2.extensions import PYDATE, PYDATETIMETZ, connection, cursor, new_type, register_type

T = TypeVar("T", date, datetime)


def read_all_times(session: connection) -> None:
    """Have this session read such a time as the last or first one that Python has, as the driver does with infinity."""
    for (oid, *_), cast in ((PYDATE.values, _date), (PYDATETIMETZ.values, _time)):
        register_type(new_type((oid,), cast.__name__, cast), session)


def _date(text: Any, cursor: cursor) -> date | None:
    try:
        found: date | None = PYDATE(text, cursor)
    except ValueError:
        return _end(text, date.min, date.max)
    return found


def _time(text: Any, cursor: cursor) -> datetime | None:
    try:
        found: datetime | None = PYDATETIMETZ(text, cursor)
    except ValueError:
        return _end(text, datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
    return found


def _end(text: str, first: T, last: T) -> T:
    return first if text.endswith("BC") else last
