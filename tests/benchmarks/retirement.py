"""g. A month retired by detach and drop against DELETE and VACUUM, with the WAL that each writes."""

import statistics
from collections.abc import Callable
from functools import partial

from django.db import connections
from django.utils import timezone

from pam.models import AuditLog
from pam.partitions.tables import Table
from pam.postgres.monthly_catalog import Partition, months_of
from pam.postgres.monthly_retired import drop_detached, retire_month
from pam.postgres.months import Month
from tests.benchmarks.phases import MONTHS, all_phases
from tests.benchmarks.results import Figure, Row
from tests.benchmarks.scale import Scale, Told, run
from tests.support.turns import seconds

# Whole ones: the first month of the company is not.
RETIRED = slice(1, 4)
MEGABYTE = 1_000_000


def measure(scale: Scale, told: Told) -> Figure:
    """Seconds and bytes of WAL for a month of `audit_logs`: partitioned, and of the plain table of phase 2.

    That table has its guard against DELETE taken off. Each is done right after a checkpoint, as an old month has not
    been changed since the last one.
    """
    # Its WAL would be counted too.
    with all_phases(scale, told, {"autovacuum": "off"}) as (_, databases):
        plain, monthly = databases["phase 2"], databases["phase 3"]
        run(plain, "ALTER TABLE audit_logs DISABLE TRIGGER pam_refuse_change")
        table = Table(connections[monthly], AuditLog)
        months = [one for one in months_of(table.connection, table.move.source) if one.rows][RETIRED]
        ours: list[tuple[float, int]] = []
        theirs: list[tuple[float, int]] = []
        for partition in months:
            assert partition.month is not None
            told(f"{partition.relation.name} is retired")
            ours.append(_cost(monthly, partial(_detach_and_drop, table, partition)))
            theirs.append(_cost(plain, partial(_delete_and_vacuum, plain, partition.month)))
    (time, wal), (base_time, base_wal) = (
        [statistics.median(one[index] for one in costs) for index in (0, 1)] for costs in (ours, theirs)
    )
    rows = statistics.median(one.rows for one in months)
    return Figure(
        f"A month of `audit_logs`, about {rows:,} of {scale.rows:,} rows in {scale.months(MONTHS)} months,"
        " detached and dropped",
        "`DELETE` of its rows from the plain table (its guard taken off) and `VACUUM`",
        f"(median of {len(months)} months, in turns; after a checkpoint, autovacuum off)",
        [
            Row("time", {"ratio": time / base_time}, {"s": base_time}),
            Row("WAL", {"ratio": wal / base_wal}, {"MB": base_wal / MEGABYTE}),
        ],
    )


def _detach_and_drop(table: Table, month: Partition) -> None:
    retire_month(table.connection, table.move, month.relation, timezone.now())
    drop_detached(table.connection, table.move.source, month.relation.name)


def _delete_and_vacuum(alias: str, month: Month) -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute("DELETE FROM audit_logs WHERE timestamp >= %s AND timestamp < %s", [month.start, month.end])
        cursor.execute("VACUUM audit_logs")


def _cost(alias: str, work: Callable[[], None]) -> tuple[float, int]:
    """Seconds, and bytes of WAL."""
    with connections[alias].cursor() as cursor:
        cursor.execute("CHECKPOINT")
        cursor.execute("SELECT pg_current_wal_insert_lsn()")
        (before,) = cursor.fetchone()
        taken = seconds(work)
        cursor.execute("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), %s)", [before])
        (wal,) = cursor.fetchone()
    return taken, int(wal)
