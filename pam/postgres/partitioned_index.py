"""Builds and drops an index on a partitioned, live table, where the server knows no CONCURRENTLY.

The way the documentation of CREATE INDEX gives: the index on the parent only, INVALID as yet; each partition's own,
concurrently; each attached; with the last one the server marks the parent's index valid.
"""

import hashlib
from logging import getLogger

from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql

from pam.postgres import catalog, concurrent_index
from pam.postgres.catalog import Index, Relation
from pam.postgres.errors import BuildFailed
from pam.postgres.index_spec import IndexSpec, create_sql, require_free, require_same
from pam.postgres.locks import BRIEF, with_retries, with_table_lock

logger = getLogger("pam.migrations")

NAME_BYTES = 63

# Lock: SHARE UPDATE EXCLUSIVE on the parent's index, ACCESS EXCLUSIVE on the partition's index, which planning a query
# on the partition needs: asked for briefly, held for a moment whatever the number of rows.
ATTACH = sql.SQL("ALTER INDEX {parent} ATTACH PARTITION {index}")

# Lock: ACCESS EXCLUSIVE on the parent and each partition, taken beforehand; held longer with each partition, not
# with rows. The server has no concurrent way.
DROP = sql.SQL("DROP INDEX {index}")


def ensure(connection: BaseDatabaseWrapper, spec: IndexSpec, table: Relation, name: str) -> None:
    """Make sure that the partitioned `table` and each of its partitions has the index `spec`, valid and attached.

    Locks: SHARE on the parent alone for a moment (asked for briefly, with retries), SHARE UPDATE EXCLUSIVE on each
    partition while its own index builds, ACCESS EXCLUSIVE on that index for a moment to attach it. Raises NameTaken,
    LockUnavailable, BuildFailed.
    """
    parent = catalog.index(connection, table.schema, name)
    if parent:
        require_same(connection, spec, table, parent)
    else:
        parent = _create_on_parent(connection, spec, table, name)
    for partition in catalog.partitions(connection, table):
        if not catalog.attached_index(connection, parent, partition):
            _ensure_on_partition(connection, spec, parent, partition, _partition_index_name(name, table, partition))
    _require_valid(connection, table, name)


def drop(connection: BaseDatabaseWrapper, table: Relation, index: Index) -> None:
    """Drop `index` of the partitioned `table` with those of its partitions, in one short transaction.

    Lock: ACCESS EXCLUSIVE on the parent and each partition, asked for briefly, with retries. Raises LockUnavailable.
    """

    def drop_all() -> None:
        with connection.cursor() as cursor:
            cursor.execute(DROP.format(index=index.identifier))

    with_table_lock(connection, table, "ACCESS EXCLUSIVE", drop_all)


def _create_on_parent(connection: BaseDatabaseWrapper, spec: IndexSpec, table: Relation, name: str) -> Index:
    require_free(connection, spec, table, name)

    def create() -> None:
        with connection.cursor() as cursor:
            # Lock: SHARE on the parent alone; writers wait while it is held, which is a moment whatever the rows.
            cursor.execute(create_sql(connection, spec, name, table.identifier, only=True))

    with_table_lock(connection, table, "SHARE", create, only=True)
    parent = catalog.index(connection, table.schema, name)
    if parent is None:
        raise BuildFailed(f"The index {name} on {table} was dropped by somebody as it was made.")
    return parent


def _ensure_on_partition(
    connection: BaseDatabaseWrapper, spec: IndexSpec, parent: Index, partition: Relation, name: str
) -> None:
    if partition.is_partitioned:
        ensure(connection, spec, partition, name)
    elif partition.kind == catalog.PLAIN:
        concurrent_index.ensure(connection, spec, partition, name)
    else:
        raise BuildFailed(
            f"{partition} is a foreign table, on which no index can be made, so {parent.name} can never be valid. "
            f"Detach it first: ALTER TABLE {parent.table} DETACH PARTITION {partition}"
        )
    statement = ATTACH.format(parent=parent.identifier, index=sql.Identifier(partition.schema, name))

    def attach() -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)

    with_retries(connection, BRIEF, "ACCESS EXCLUSIVE", [partition], attach)


def _require_valid(connection: BaseDatabaseWrapper, table: Relation, name: str) -> None:
    parent = catalog.index(connection, table.schema, name)
    if parent is None or not parent.is_valid:
        raise BuildFailed(
            f"{name} on {table} is not valid yet: a partition came or went meanwhile, or its index is INVALID. "
            "Run it again: python manage.py migrate"
        )
    logger.info("%s on %s: valid on the parent and all its partitions", name, table)


def _partition_index_name(name: str, table: Relation, partition: Relation) -> str:
    """`<index>_<what the partition's name adds>`: the same at each run, which so finds what an earlier one left."""
    added = partition.name.removeprefix(table.name).lstrip("_") or partition.name
    readable = f"{name}_{added}"
    if len(readable.encode()) <= NAME_BYTES:
        return readable
    digest = hashlib.sha256(readable.encode()).hexdigest()[:8]
    room = NAME_BYTES - len(digest) - 1
    return readable.encode()[:room].decode(errors="ignore") + f"_{digest}"
