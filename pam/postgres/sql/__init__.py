"""The multi-line catalog queries, by name.

Each `<topic>.sql` holds queries under a line `-- name: <query>`; the comment lines that follow say what it returns.
"""

from functools import cache
from pathlib import Path
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

NAME_LINE = "-- name: "


@cache
def _topic(topic: str) -> dict[str, str]:
    queries: dict[str, str] = {}
    for section in Path(__file__).with_name(f"{topic}.sql").read_text(encoding="utf-8").split(NAME_LINE)[1:]:
        name, _, text = section.partition("\n")
        queries[name.strip()] = text.strip()
    return queries


def query(topic: str, name: str) -> str:
    """The text of query `name` in `<topic>.sql`; KeyError if there is none."""
    return _topic(topic)[name]


def rows(connection: BaseDatabaseWrapper, topic: str, name: str, /, **parameters: Any) -> list[Any]:
    """The rows that query `name` in `<topic>.sql` returns with these parameters."""
    with connection.cursor() as cursor:
        cursor.execute(query(topic, name), parameters)
        found: list[Any] = cursor.fetchall()
    return found
