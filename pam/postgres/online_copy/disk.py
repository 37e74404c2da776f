"""What a table takes on the server's disk, and what a copy of it would. What is free: `pam.postgres.disk`."""

from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql

from pam.postgres.catalog import Relation


def rows(connection: BaseDatabaseWrapper, table: Relation) -> int:
    """The rows of a table, counted: what statistics say may be nothing yet. Lock: ACCESS SHARE while it is read."""
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(table.identifier))
        (count,) = cursor.fetchone()
    return int(count)


def size(connection: BaseDatabaseWrapper, table: Relation) -> int:
    """Bytes of a table with its indexes, TOAST and partitions."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(pg_catalog.pg_total_relation_size(c.oid)), 0)::bigint FROM pg_catalog.pg_class c"
            " WHERE c.relkind = 'r' AND (c.oid = %s OR c.oid IN ("
            "SELECT i.inhrelid FROM pg_catalog.pg_inherits i WHERE i.inhparent = %s))",
            [table.oid, table.oid],
        )
        (total,) = cursor.fetchone()
    return int(total)


def needed(connection: BaseDatabaseWrapper, table: Relation) -> int:
    """Bytes for one more copy of the table with its indexes, and for the WAL of writing it until it is recycled."""
    return 2 * size(connection, table)
