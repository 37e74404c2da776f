"""What the server has counted since its counters began: temporary files, checkpoints, WAL; and how large things are."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from pam.postgres.sql import query

CHECKPOINTER_SINCE = 17_00_00


@dataclass(frozen=True)
class Largest:
    """The largest table or index, by name, and its bytes."""

    name: str
    bytes: int


@dataclass(frozen=True)
class Counters:
    """Each figure with the time for which it was counted: since the counters were last reset, or the server crashed."""

    database_bytes: int
    blocks_hit: int
    blocks_read: int
    temp_files: int
    temp_bytes: int
    database_age: timedelta
    checkpoints_timed: int
    checkpoints_requested: int
    checkpoints_age: timedelta
    wal_bytes: int
    wal_age: timedelta
    largest_table: Largest | None
    largest_index: Largest | None
    tables_to_dump: int


def read_counters(connection: BaseDatabaseWrapper) -> Counters:
    """The counters of the database and its server. Takes no lock that anybody feels."""
    connection.ensure_connection()
    is_old = connection.connection.info.server_version < CHECKPOINTER_SINCE
    with connection.cursor() as cursor:
        found: list[Any] = []
        for name in ("database", "checkpoints_before_17" if is_old else "checkpoints", "wal"):
            cursor.execute(query("settings", name))
            found += cursor.fetchone()
        for kind in "ri":
            cursor.execute(query("settings", "largest"), {"kind": kind})
            row = cursor.fetchone()
            found.append(Largest(*row) if row and row[1] else None)
        cursor.execute(query("settings", "tables_to_dump"))
        found += cursor.fetchone()
    return Counters(*found)
