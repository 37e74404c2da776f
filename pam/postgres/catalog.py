"""Catalog rows as frozen dataclasses: names or oids in, facts out. Nothing here changes anything."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql

from pam.postgres.sql import query

PLAIN, PARTITIONED, MATERIALIZED = "r", "p", "m"


@dataclass(frozen=True)
class Relation:
    """A table, view or index as the catalog names it. `kind` is pg_class.relkind."""

    oid: int
    schema: str
    name: str
    kind: str

    @property
    def is_partitioned(self) -> bool:
        return self.kind == PARTITIONED

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class IndexDefinition:
    """What an index is, apart from its name, its table and where it is stored: two equal ones serve the same queries.

    `opclasses`, `collations` and `options` are the catalog's vectors as text; they compare within one database.
    """

    method: str
    unique: bool
    nulls_not_distinct: bool
    key_count: int
    columns: tuple[str, ...]
    opclasses: str
    collations: str
    options: str
    predicate: str | None


@dataclass(frozen=True)
class Index:
    """An index of the catalog. `parent_oid` is the partitioned index that it is attached to."""

    definition: IndexDefinition
    oid: int
    schema: str
    name: str
    table_oid: int
    table: str
    is_partitioned: bool
    is_valid: bool
    parent_oid: int | None
    statement: str

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)


@dataclass(frozen=True)
class Extension:
    """An installed extension. `is_visible`: its operators are found without naming the schema."""

    schema: str
    comment: str | None
    is_visible: bool


def quoted(*names: str) -> str:
    """An identifier as SQL has it, for a text that somebody is to run; the names of a qualified one in their order."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def relation(connection: BaseDatabaseWrapper, quoted_name: str) -> Relation | None:
    """The relation that a quoted name stands for in this session's search_path, or None."""
    rows = _rows(connection, "relation", name=quoted_name)
    return Relation(*rows[0]) if rows else None


def relation_of(connection: BaseDatabaseWrapper, oid: int) -> Relation | None:
    """The relation of an oid, or None if it was dropped."""
    rows = _rows(connection, "relation_of", oid=oid)
    return Relation(*rows[0]) if rows else None


def relation_or_new(connection: BaseDatabaseWrapper, quoted_name: str) -> Relation:
    """As `relation`; what is not there yet is shown with oid 0, as a plain table in the schema of new ones."""
    found = relation(connection, quoted_name)
    if found:
        return found
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        (schema,) = cursor.fetchone()
    return Relation(0, schema, quoted_name.strip('"'), PLAIN)


def other_owner(connection: BaseDatabaseWrapper, table: Relation) -> str | None:
    """Who owns the table, or None if it is who runs this, or if it is not there yet."""
    rows = _rows(connection, "other_owner", table=table.oid)
    return rows[0][0] if rows else None


def partitions(connection: BaseDatabaseWrapper, table: Relation) -> list[Relation]:
    """The direct partitions of `table`, by name; empty for a plain table."""
    return [Relation(*row) for row in _rows(connection, "partitions", table=table.oid)]


def index(connection: BaseDatabaseWrapper, schema: str, name: str) -> Index | None:
    """The index called `name` in `schema`, or None."""
    rows = _rows(connection, "index", schema=schema, name=name)
    if not rows:
        return None
    *facts, method, unique, nulls_not_distinct, key_count, columns, opclasses, collations, options, predicate = rows[0]
    definition = IndexDefinition(
        method, unique, nulls_not_distinct, key_count, tuple(columns), opclasses, collations, options, predicate
    )
    return Index(definition, *facts)


def attached_index(connection: BaseDatabaseWrapper, parent: Index, partition: Relation) -> Index | None:
    """The index of `partition` that is attached to the index `parent` of its parent table, or None."""
    rows = _rows(connection, "attached_index", index=parent.oid, table=partition.oid)
    return index(connection, *rows[0]) if rows else None


def index_sizes(connection: BaseDatabaseWrapper, table: Relation) -> dict[str, int]:
    """Bytes of each index of `table` by name, its partitions' with it."""
    return dict(_rows(connection, "index_sizes", table=table.oid))


def index_helpers(connection: BaseDatabaseWrapper) -> int:
    """How many parallel workers the server's settings allow a session that builds an index of a large table."""
    ((count,),) = _rows(connection, "index_helpers")
    return int(count)


def extension(connection: BaseDatabaseWrapper, name: str) -> Extension | None:
    """The installed extension `name`, or None."""
    rows = _rows(connection, "extension", name=name)
    return Extension(*rows[0]) if rows else None


def _rows(connection: BaseDatabaseWrapper, query_name: str, /, **parameters: Any) -> Sequence[Any]:
    with connection.cursor() as cursor:
        cursor.execute(query("catalog", query_name), parameters)
        rows: list[Any] = cursor.fetchall()
    return rows
