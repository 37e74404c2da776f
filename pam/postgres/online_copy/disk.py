"""Sizes on the server's disk."""

import os
import shutil

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


def free(connection: BaseDatabaseWrapper) -> int | None:
    """Free bytes where the server puts new tables, if that is on this machine, and seen by us; otherwise None."""
    host = str(connection.settings_dict.get("HOST", ""))
    if host and not host.startswith("/"):
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_catalog.pg_has_role('pg_read_all_settings', 'USAGE')")
        if not cursor.fetchone()[0]:
            return None
        cursor.execute(
            "SELECT coalesce(nullif(pg_catalog.pg_tablespace_location(s.oid), ''), current_setting('data_directory'))"
            " FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace s ON CASE current_setting("
            "'default_tablespace') WHEN '' THEN s.oid = d.dattablespace ELSE s.spcname = current_setting("
            "'default_tablespace') END WHERE d.datname = current_database()"
        )
        (folder,) = cursor.fetchone()
    return shutil.disk_usage(folder).free if os.access(folder, os.F_OK) else None
