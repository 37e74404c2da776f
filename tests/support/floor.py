"""The floor of a conversion: what the same end state costs when it is made offline."""

import re
import time

from django.db import connections


def floor(alias: str, *, helpers: bool = True) -> float:
    """Seconds for sorted copies of both tables with the same indexes, foreign keys and statistics.

    One session, nobody else; without `helpers` one process too: no parallel workers, which by default build an index
    with it on all processors.
    """
    with connections[alias].cursor() as cursor:
        for setting in ("max_parallel_maintenance_workers", "max_parallel_workers_per_gather"):
            cursor.execute(f"RESET {setting}" if helpers else f"SET {setting} = 0")
    return _floor(alias, "audit_logs", "timestamp") + _floor(alias, "sessions", "created_at")


def _floor(alias: str, table: str, time_column: str) -> float:
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE tablename = %s", [table])
        indexes = [
            re.sub(r"INDEX (\S+) ON \S+", rf"INDEX \1_floor ON {table}_floor", definition, count=1)
            for (definition,) in cursor.fetchall()
        ]
        began = time.perf_counter()
        cursor.execute(f'CREATE TABLE {table}_floor AS SELECT * FROM {table} ORDER BY "{time_column}"')
        for statement in indexes:
            cursor.execute(statement)
        if table == "sessions":
            cursor.execute("ALTER TABLE sessions_floor ADD FOREIGN KEY (user_id) REFERENCES privileged_users")
        cursor.execute(f"VACUUM (ANALYZE) {table}_floor")
        seconds = time.perf_counter() - began
        cursor.execute(f"DROP TABLE {table}_floor")
    return seconds
