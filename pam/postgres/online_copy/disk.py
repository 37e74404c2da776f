"""Sizes on the server's disk."""

import json
import os
import shutil

from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql

from pam.postgres.catalog import Relation


def size(connection: BaseDatabaseWrapper, table: Relation) -> tuple[int, int]:
    """Rows (as the planner expects them, from the size of the file if nobody has run ANALYZE) and bytes of a table with
    its indexes, TOAST and partitions. Lock: ACCESS SHARE."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(pg_catalog.pg_relation_size(c.oid)), 0)::bigint,"
            " coalesce(sum(pg_catalog.pg_total_relation_size(c.oid)), 0)::bigint FROM pg_catalog.pg_class c"
            " WHERE c.relkind = 'r' AND (c.oid = %s OR c.oid IN ("
            "SELECT i.inhrelid FROM pg_catalog.pg_inherits i WHERE i.inhparent = %s))",
            [table.oid, table.oid],
        )
        heap, total = cursor.fetchone()
        if not heap:
            return 0, int(total)
        cursor.execute(sql.SQL("EXPLAIN (FORMAT JSON) SELECT FROM {}").format(table.identifier))
        ((found,),) = cursor.fetchall()
    (answer,) = found if isinstance(found, list) else json.loads(found)
    return int(answer["Plan"]["Plan Rows"]), int(total)


def needed(connection: BaseDatabaseWrapper, table: Relation) -> int:
    """Bytes for one more copy of the table with its indexes, and for the WAL of writing it until it is recycled."""
    return 2 * size(connection, table)[1]


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
