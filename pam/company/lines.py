"""Rows as COPY takes them, and keys that carry time, all from one generator of chance."""

import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

from django.db.backends.utils import CursorWrapper
from psycopg2 import sql

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# What COPY's text format reads as something else: https://www.postgresql.org/docs/current/sql-copy.html
ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


@dataclass(frozen=True)
class Sheet:
    """A table, and the columns that its lines fill; the others get their defaults."""

    table: str
    columns: tuple[str, ...]

    def copy(self, cursor: CursorWrapper, lines: Iterable[str]) -> None:
        """Send lines to the table by COPY. Lock: ROW EXCLUSIVE on it, as for INSERT."""
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
            sql.Identifier(self.table), sql.SQL(", ").join(map(sql.Identifier, self.columns))
        )
        cursor.copy_expert(statement, io.StringIO("".join(lines)))


def line(values: Sequence[Any]) -> str:
    """One row in COPY's text format."""
    return "\t".join(map(_text, values)) + "\n"


def _text(value: Any) -> str:
    match value:
        case None:
            return "\\N"
        case str():
            return value.translate(ESCAPED)
        case bool():
            return "t" if value else "f"
        case datetime():
            return value.isoformat(" ")
        case list():
            return "{" + ",".join(f'"{entry}"' for entry in value) + "}"
        case dict():
            return json.dumps(value).translate(ESCAPED)
    return str(value)


def key(chance: Random, time: datetime) -> str:
    """A UUIDv7 that carries `time`; the rest of it is from `chance`, so that a seed gives the same keys again."""
    since = time - EPOCH
    milliseconds = (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000
    bits = milliseconds << 80 | 7 << 76 | chance.getrandbits(12) << 64 | 2 << 62 | chance.getrandbits(62)
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def plain_key(chance: Random) -> str:
    """A UUIDv4 from `chance`, as Entra gives to its objects."""
    text = f"{chance.getrandbits(128) & ~(0xF << 76 | 0x3 << 62) | 4 << 76 | 2 << 62:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
