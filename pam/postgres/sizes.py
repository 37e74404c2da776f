"""How large tables, their indexes and the database are. Partitions are counted with their table."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from django.db.backends.base.base import BaseDatabaseWrapper

from pam.postgres import catalog, locks
from pam.postgres.catalog import Relation
from pam.postgres.locks import Patience
from pam.postgres.monthly_catalog import months_of
from pam.postgres.months import Month
from pam.postgres.sql import query

KINDS = {"r": "table", "p": "partitioned table", "m": "materialized view"}


@dataclass(frozen=True)
class Size:
    """Bytes, and the rows as the planner reckons them: None where nothing was ever counted.

    `heap` is the table itself with its maps of free space and of visibility, `toast` what is stored apart from it.
    """

    heap: int = 0
    indexes: int = 0
    toast: int = 0
    rows: int | None = 0

    @property
    def total(self) -> int:
        return self.heap + self.indexes + self.toast

    def __add__(self, other: "Size") -> "Size":
        rows = None if self.rows is None or other.rows is None else self.rows + other.rows
        return Size(self.heap + other.heap, self.indexes + other.indexes, self.toast + other.toast, rows)


@dataclass(frozen=True)
class PartitionSize:
    """A partition. `month` is None for the default one, and for one whose bound is not exactly a month of UTC."""

    relation: Relation
    month: Month | None
    size: Size


@dataclass(frozen=True)
class TableSize:
    """A table or materialized view; of a partitioned one, all partitions together.

    `key` is the column by which it is partitioned, None if it is not, or by something else than a column.
    """

    relation: Relation
    size: Size
    key: str | None = None
    partitions: tuple[PartitionSize, ...] = ()

    @property
    def kind(self) -> str:
        return KINDS[self.relation.kind]


@dataclass(frozen=True)
class Sizes:
    """The whole database, in bytes, and the tables that were asked for; `missing` are the names that there are not."""

    database: str
    bytes: int
    tables: tuple[TableSize, ...]
    missing: tuple[str, ...]

    @property
    def elsewhere(self) -> int:
        """Bytes of all else: the server's catalog, other tables, detached months, the copies of a conversion."""
        return max(0, self.bytes - sum(table.size.total for table in self.tables))


def sizes(connection: BaseDatabaseWrapper, quoted_names: Iterable[str], patience: Patience | None = None) -> Sizes:
    """The sizes of these tables, as this session's search_path finds them, and of the database, all as they are now.

    A table that is dropped meanwhile counts as missing, a partition is left out. Lock: ACCESS SHARE on each relation
    while it is measured; the wait for it, behind who has a table for himself alone, is bounded by `patience` (None:
    CALM). Raises LockUnavailable.
    """
    measured, missing = [], []
    for name in quoted_names:
        found = catalog.relation(connection, name)
        size = table_size(connection, found, patience) if found else None
        if size is None:
            missing.append(name.strip('"'))
        else:
            measured.append(size)
    with connection.cursor() as cursor:
        cursor.execute(query("sizes", "database"))
        database, total = cursor.fetchone()
    return Sizes(database, total, tuple(measured), tuple(missing))


def table_size(connection: BaseDatabaseWrapper, table: Relation, patience: Patience | None = None) -> TableSize | None:
    """The size of one table with its partitions; None if it is dropped by now. Locks and errors: `sizes`."""
    relations = [table, *catalog.partitions(connection, table)]
    return locks.with_retries(
        connection, patience or locks.CALM, "ACCESS SHARE", relations, partial(_measured, connection, table)
    )


def _measured(connection: BaseDatabaseWrapper, table: Relation) -> TableSize | None:
    months = {one.relation.oid: one.month for one in months_of(connection, table)}
    with connection.cursor() as cursor:
        # Lock: ACCESS SHARE on each relation and its indexes, for the moment in which its files are looked at.
        cursor.execute(query("sizes", "parts"), {"table": table.oid})
        parts = [(Relation(*row[:4]), row[4], Size(*row[5:])) for row in cursor.fetchall()]
    root = [(key, size) for relation, key, size in parts if relation.oid == table.oid]
    if not root:
        return None
    partitions = tuple(
        PartitionSize(relation, months.get(relation.oid), size)
        for relation, _, size in parts
        if relation.oid != table.oid and not relation.is_partitioned
    )
    ((key, own),) = root
    return TableSize(table, sum((one.size for one in partitions), own), key, partitions)
