"""Events as lines of a file: CSV that a spreadsheet may open, and JSON Lines that say exactly what is stored."""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from uuid import UUID

# So many lines are sent at once.
BATCH = 500

# What makes a spreadsheet take a cell for a formula; the last four are the wide forms of the first.
FORMULA = r"=+\-@\uff1d\uff0b\uff0d\uff20"
# Where a text begins like one; and where it would, if the file is taken for one that semicolons or tabs part, as where
# numbers are written with a comma: quotes hold nothing together then.
BEGINNING = re.compile(rf'\A(?=[{FORMULA}\t\r\n])|(?<=[;\t\r\n])(?=[" ]*[{FORMULA}])')

Rows = Iterable[Sequence[Any]]


def csv_lines(columns: Sequence[str], json_columns: Sequence[str], rows: Rows) -> Iterator[str]:
    """A line of names and one of each row, as RFC 4180 has it; times in ISO 8601, in UTC.

    A row has its `columns` and then its `json_columns`, which are texts of JSON.

    A text that begins like a formula gets an apostrophe before it, and so does a part that begins like one, so that no
    spreadsheet runs it (OWASP, "CSV Injection"); other programs see the apostrophe. No value at all and an empty text
    are both an empty cell. JSON Lines have neither fault.
    """
    writer = csv.writer(_Line(), lineterminator="\r\n")
    yield writer.writerow([*columns, *json_columns])
    for batch in _batches(rows):
        yield "".join(writer.writerow(map(_cell, row)) for row in batch)


def json_lines(columns: Sequence[str], json_columns: Sequence[str], rows: Rows) -> Iterator[str]:
    """A JSON object for each row, which is as for `csv_lines`: texts as they are, times in ISO 8601, in UTC.

    The `json_columns` go out as they came: no number loses a digit.
    """
    names = [_in_json(name) for name in json_columns]

    def line(row: Sequence[Any]) -> str:
        # strict=False: the rest of the row is for the other names.
        plain = _in_json(dict(zip(columns, row, strict=False)))
        rest = zip(names, row[len(columns) :], strict=True)
        stored = "".join(f", {name}: {'null' if text is None else text}" for name, text in rest)
        return f"{plain[:-1]}{stored}}}\n"

    for batch in _batches(rows):
        yield "".join(map(line, batch))


class _Line:
    """What the writer of CSV writes to: it gets the line back."""

    def write(self, line: str) -> str:
        return line


def _batches(rows: Rows) -> Iterator[list[Sequence[Any]]]:
    left = iter(rows)
    while batch := list(islice(left, BATCH)):
        yield batch


def _cell(value: Any) -> Any:
    plain = _plain(value) if isinstance(value, datetime | UUID) else value
    if isinstance(plain, str):
        return BEGINNING.sub("'", plain)
    return plain if plain is None else _in_json(plain)


def _plain(value: datetime | UUID) -> str:
    """What JSON has no form of its own for."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return str(value)


# json.dumps() would make an encoder for each value.
_in_json = json.JSONEncoder(ensure_ascii=False, default=_plain).encode
