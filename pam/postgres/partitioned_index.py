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
from pam.postgres.locks import BRIEF, with_retries, with_table_locks

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
    _require_no_foreign_partition(connection, table)
    parent = catalog.index(connection, table.schema, name)
    if parent:
        require_same(connection, spec, table, parent)
    else:
        parent = _create_on_parent(connection, spec, table, name)
    for partition in catalog.partitions(connection, table):
        attached = catalog.attached_index(connection, parent, partition)
        if attached is None:
            _ensure_on_partition(connection, spec, parent, partition, partition_index_name(name, table, partition))
        elif not attached.is_valid and not attached.is_partitioned:
            raise BuildFailed(
                f"The index {attached.schema}.{attached.name} is attached to {name} and INVALID; the server has no "
                f"way to rebuild it without stopping writers. Drop the whole of {name} when that is allowed: "
                f"DROP INDEX {parent.schema}.{name}. Then run it again: python manage.py migrate"
            )
    _require_valid(connection, table, name)


def remove(connection: BaseDatabaseWrapper, spec: IndexSpec, table: Relation, name: str) -> None:
    """Make sure that neither the partitioned `table` nor its partitions have the index `spec`, attached or left over.

    Locks: ACCESS EXCLUSIVE on the parent and each partition for a moment, asked for briefly, with retries; SHARE UPDATE
    EXCLUSIVE on a partition whose index was built and never attached. Raises NameTaken, LockUnavailable, BuildFailed.
    """
    parent = catalog.index(connection, table.schema, name)
    if parent:
        require_same(connection, spec, table, parent)
        _drop_all(connection, table, parent)
    for partition in catalog.partitions(connection, table):
        partition_name = partition_index_name(name, table, partition)
        if partition.is_partitioned:
            remove(connection, spec, partition, partition_name)
        elif catalog.index(connection, partition.schema, partition_name):
            concurrent_index.remove(connection, spec, partition, partition_name)


def _drop_all(connection: BaseDatabaseWrapper, table: Relation, parent: Index) -> None:
    def drop() -> None:
        with connection.cursor() as cursor:
            cursor.execute(DROP.format(index=parent.identifier))

    with_table_locks(connection, [table], "ACCESS EXCLUSIVE", drop)
    logger.info("%s on %s: dropped, with those of its partitions", parent.name, table)


def _require_no_foreign_partition(connection: BaseDatabaseWrapper, table: Relation) -> None:
    """Known beforehand, not after hours of building."""
    for partition in catalog.partitions(connection, table):
        if partition.is_partitioned:
            _require_no_foreign_partition(connection, partition)
        elif partition.kind != catalog.PLAIN:
            raise BuildFailed(
                f"{partition} is a foreign table, on which no index can be made, so none of {table} could be valid. "
                f"Detach it first: ALTER TABLE {table} DETACH PARTITION {partition}"
            )


def _create_on_parent(connection: BaseDatabaseWrapper, spec: IndexSpec, table: Relation, name: str) -> Index:
    require_free(connection, spec, table, name)

    def create() -> None:
        with connection.cursor() as cursor:
            # Lock: SHARE on the parent alone; writers wait while it is held, which is a moment whatever the rows.
            cursor.execute(create_sql(connection, spec, name, table.identifier, only=True))

    with_table_locks(connection, [table], "SHARE", create, only=True)
    parent = catalog.index(connection, table.schema, name)
    if parent is None:
        raise BuildFailed(f"The index {name} on {table} was dropped by somebody as it was made.")
    return parent


def _ensure_on_partition(
    connection: BaseDatabaseWrapper, spec: IndexSpec, parent: Index, partition: Relation, name: str
) -> None:
    build = ensure if partition.is_partitioned else concurrent_index.ensure
    build(connection, spec, partition, name)
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


def partition_index_name(name: str, table: Relation, partition: Relation) -> str:
    """The same at each run, which so finds what an earlier one left: `<index>_2026_01` for `<table>_2026_01`.

    A partition that is not named after its table, or a name that would be too long, ends in a digest instead.
    """
    prefix = f"{table.name}_"
    readable = f"{name}_{partition.name.removeprefix(prefix)}"
    if partition.name.startswith(prefix) and len(readable.encode()) <= NAME_BYTES:
        return readable
    digest = hashlib.sha256(f"{name} {partition}".encode()).hexdigest()[:8]
    room = NAME_BYTES - len(digest) - 1
    return readable.encode()[:room].decode(errors="ignore") + f"_{digest}"
