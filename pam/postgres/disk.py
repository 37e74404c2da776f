"""What is free on the disk of the server."""

import os
import shutil

from django.db.backends.base.base import BaseDatabaseWrapper


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
