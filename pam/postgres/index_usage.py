"""What the indexes of some tables are, how large, and how often they were used, partitions rolled up."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql

from pam.postgres import catalog
from pam.postgres.catalog import Index, Relation
from pam.postgres.index_bloat import Bloat, estimated
from pam.postgres.sql import query, rows


@dataclass(frozen=True)
class IndexUsage:
    """An index that is not part of another one, with what is known of it and all its parts on partitions.

    `quoted` is its name as a statement takes it. `tables` are the oids of its table and of those that the table is a
    partition of. `invalid` are the quoted names of what is INVALID of it, itself or parts. `scans` and `last_scan`
    (None before PostgreSQL 16) are those of all servers together. `made_before`: it is not younger than that; None if
    nobody knows. `bytes` is the size of the main forks.
    """

    index: Index
    quoted: str
    tables: tuple[int, ...]
    holds_constraint: bool
    is_replica_identity: bool
    invalid: tuple[str, ...]
    is_being_built: bool
    parameters: str
    bytes: int
    scans: int
    last_scan: datetime | None
    made_before: datetime | None
    bloat: Bloat

    @property
    def oid(self) -> int:
        return self.index.oid

    @property
    def name(self) -> str:
        return self.index.name


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key of a table: its quoted columns, in the order of their names."""

    name: str
    table_oid: int
    columns: tuple[str, ...]


def index_usage(
    connection: BaseDatabaseWrapper,
    replicas: Sequence[BaseDatabaseWrapper],
    tables: Sequence[Relation],
    journal: Relation | None,
) -> tuple[IndexUsage, ...]:
    """The indexes of `tables`, by table and name; what is dropped meanwhile is left out.

    `replicas` add their scans: physical copies, where oids mean the same. `journal` is a table in which each row has in
    `applied` the time of the transaction that wrote it, such as Django's of migrations. ACCESS SHARE on catalogs and
    the journal, and on an index while its size is read.
    """
    found = rows(connection, "index_usage", "indexes", tables=[table.oid for table in tables])
    oids = [row[0] for row in found]
    counted = [
        {oid: (scans, last) for oid, scans, last in rows(one, "index_usage", "scans", indexes=oids)}
        for one in (connection, *replicas)
    ]
    made, bloat = _made_before(connection, oids, journal), estimated(connection, oids)
    usage = []
    for oid, schema, name, quoted, reach, holds, identity, invalid, building, parameters, size in found:
        index = catalog.index(connection, schema, name)
        if index is None or index.oid != oid:
            continue
        lasts = [last for server in counted if (last := server[oid][1])]
        usage.append(
            IndexUsage(
                index,
                quoted,
                tuple(reach),
                holds,
                identity,
                tuple(invalid),
                building,
                parameters,
                size,
                sum(server[oid][0] for server in counted),
                max(lasts, default=None),
                made.get(oid),
                bloat.get(oid, Bloat(None, None, f"there is no estimate for {index.definition.method}")),
            )
        )
    return tuple(usage)


def may_read(connection: BaseDatabaseWrapper, table: Relation) -> bool:
    """Whether this role may read a table."""
    return bool(rows(connection, "index_usage", "may_read", table=table.oid)[0][0])


def foreign_keys(connection: BaseDatabaseWrapper, tables: Sequence[Relation]) -> tuple[ForeignKey, ...]:
    """The foreign keys of `tables`."""
    found = rows(connection, "index_usage", "foreign_keys", tables=[table.oid for table in tables])
    return tuple(ForeignKey(name, table, tuple(columns)) for name, table, columns in found)


def _made_before(
    connection: BaseDatabaseWrapper, oids: Sequence[int], journal: Relation | None
) -> dict[int, datetime | None]:
    if journal is None or not may_read(connection, journal):
        return {}
    statement = sql.SQL(query("index_usage", "made")).format(journal=journal.identifier)
    with connection.cursor() as cursor:
        cursor.execute(statement, {"indexes": list(oids)})
        return dict(cursor.fetchall())
