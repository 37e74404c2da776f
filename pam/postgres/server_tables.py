"""Tables as the server keeps them: the parts that have rows, their storage parameters, and how they were written."""

from dataclasses import dataclass

from django.db.backends.base.base import BaseDatabaseWrapper

from pam.postgres.online_copy.obstacles import APPEND_ONLY
from pam.postgres.sql import query


@dataclass(frozen=True)
class Leaf:
    """A plain table, or a partition of a table. `name` is qualified and quoted.

    `rows` is the estimate of its statistics, -1 if it has none yet; the other figures are counted since the counters
    were last reset. `newpage_updates` is None before PostgreSQL 16, which does not count them.
    """

    name: str
    parameters: dict[str, str]
    rows: int
    indexes: int
    is_append_only: bool
    is_ours: bool
    live: int
    inserts: int
    updates: int
    deletes: int
    hot_updates: int
    newpage_updates: int | None


@dataclass(frozen=True)
class Table:
    """A table, and its partitions, or if it has none itself."""

    name: str
    is_partitioned: bool
    leaves: tuple[Leaf, ...]

    @property
    def rows(self) -> int:
        """Those of the largest part."""
        return max((leaf.rows for leaf in self.leaves), default=-1)

    @property
    def indexes(self) -> int:
        """Those of the part that has most."""
        return max((leaf.indexes for leaf in self.leaves), default=0)


def read_tables(connection: BaseDatabaseWrapper, oids: list[int]) -> list[Table]:
    """The tables of these oids, by name; one that was dropped meanwhile is left out. No lock that anybody feels."""
    with connection.cursor() as cursor:
        cursor.execute(query("settings", "leaves"), {"tables": oids, "guard": APPEND_ONLY})
        rows = cursor.fetchall()
    found: dict[int, Table] = {}
    for oid, table, is_partition, leaf, options, *facts in rows:
        parameters = dict(option.split("=", 1) for option in options)
        leaves = found[oid].leaves if oid in found else ()
        found[oid] = Table(table, is_partition, (*leaves, Leaf(leaf, parameters, *facts)))
    return list(found.values())
