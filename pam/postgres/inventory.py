"""What tables are made of, as the catalog has it: columns, indexes, constraints, triggers, extended statistics."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.backends.base.base import BaseDatabaseWrapper

from pam.postgres.sql import query


@dataclass(frozen=True)
class Part:
    """A part of a table. `kind` is column, index, constraint, trigger or statistics.

    `definition` leaves out the names of the part, of the table and of its schema, so that it is the same text wherever
    the table is. `trouble` is what is wrong with it in a word (INVALID, NOT VALID, disabled), or None.
    """

    kind: str
    name: str
    definition: str
    trouble: str | None


@dataclass(frozen=True)
class TableParts:
    """A table or partition with all its parts. `definition` is "plain" or "partitioned by …"."""

    parts: tuple[Part, ...]
    oid: int
    schema: str
    name: str
    parent_oid: int | None
    definition: str
    owner: str
    may_alter: bool
    autovacuum_is_off: bool

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


def inventory(connection: BaseDatabaseWrapper, tables: Iterable[int]) -> list[TableParts]:
    """The tables of these oids and their partitions, by name. Locks: none that anybody feels."""
    wanted = {"tables": list(tables)}
    parts: dict[int, list[Part]] = {}
    with connection.cursor() as cursor:
        cursor.execute(query("inventory", "tables"), wanted)
        rows = cursor.fetchall()
        cursor.execute(query("inventory", "parts"), wanted)
        for oid, *part in cursor.fetchall():
            parts.setdefault(oid, []).append(Part(*part))
    return [TableParts(tuple(parts.get(row[0], ())), *row) for row in rows]
