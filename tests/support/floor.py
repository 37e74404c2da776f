"""The floor of a conversion: what the same end state costs when it is made offline."""

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connections

from tests.support.turns import seconds


@dataclass(frozen=True)
class Floor:
    """Seconds in all, and how many of them went into CHECK and NOT NULL, which CREATE TABLE AS leaves out."""

    seconds: float
    constraints: float


def at_rest(alias: str) -> None:
    """What was written before reaches the server's disk now, so that it is not paid for by what is measured next."""
    with connections[alias].cursor() as cursor:
        cursor.execute("CHECKPOINT")
        cursor.execute("SHOW data_directory")
        (folder,) = cursor.fetchone()
    subprocess.run(["/usr/bin/env", "sync", "--file-system", folder], check=True)


def floor(alias: str, *, helpers: bool = True) -> Floor:
    """Sorted copies of both tables with the same constraints, indexes, foreign keys and statistics.

    One session, nobody else; without `helpers` one process too: no parallel workers, which by default build an index
    with it on all processors.
    """
    with connections[alias].cursor() as cursor:
        # Whoever has the machine for himself lets sorts have what there is.
        cursor.execute("SET work_mem = '1GB'")
        for setting in ("max_parallel_maintenance_workers", "max_parallel_workers_per_gather"):
            cursor.execute(f"RESET {setting}" if helpers else f"SET {setting} = 0")
    at_rest(alias)
    tables = [_floor(alias, "audit_logs", "timestamp"), _floor(alias, "sessions", "created_at")]
    return Floor(sum(one.seconds for one in tables), sum(one.constraints for one in tables))


def _floor(alias: str, table: str, time_column: str) -> Floor:
    copy = f"{table}_floor"
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE tablename = %s", [table])
        indexes = [
            re.sub(r"INDEX (\S+) ON \S+", rf"INDEX \1_floor ON {copy}", definition, count=1)
            for (definition,) in cursor.fetchall()
        ]
        cursor.execute(
            "SELECT 'ADD ' || pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE conrelid = %(t)s::regclass AND contype = 'c'"
            " UNION ALL SELECT format('ALTER %%I SET NOT NULL', attname) FROM pg_attribute"
            " WHERE attrelid = %(t)s::regclass AND attnum > 0 AND attnotnull",
            {"t": table},
        )
        constraints = ", ".join(line for (line,) in cursor.fetchall())
        made = _seconds(alias, [f'CREATE TABLE {copy} AS SELECT * FROM {table} ORDER BY "{time_column}"'])
        checked = _seconds(alias, [f"ALTER TABLE {copy} {constraints}"])
        keys = [f"ALTER TABLE {copy} ADD FOREIGN KEY (user_id) REFERENCES privileged_users"]
        finished = _seconds(alias, [*indexes, *(keys if table == "sessions" else []), f"VACUUM (ANALYZE) {copy}"])
        cursor.execute(f"DROP TABLE {copy}")
    return Floor(made + checked + finished, checked)


def _seconds(alias: str, statements: Sequence[str]) -> float:
    with connections[alias].cursor() as cursor:
        return seconds(lambda: [cursor.execute(statement) for statement in statements])
