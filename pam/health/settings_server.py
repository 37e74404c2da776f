"""Advice on checkpoints and on the lock table."""

import math
from collections.abc import Iterator
from datetime import timedelta

from pam.health.advice import DOCS, Advice, Case, about, megabytes, power_of_two, since
from pam.postgres import lock_table
from pam.postgres.server_settings import readable
from pam.postgres.server_tables import Table

WAL = f"{DOCS}wal-configuration.html"
WAL_GUIDE = "https://www.enterprisedb.com/blog/tuning-maxwalsize-postgresql"
LOCKS = f"{DOCS}runtime-config-locks.html#GUC-MAX-LOCKS-PER-TRANSACTION"
# Fewer may have been asked for by backups and by hand. If a tenth of them was, most are due by time, as they should be.
ENOUGH, FEW = 10, 0.1
DAY = timedelta(days=1)
# Of the connections, how many may run the query with the most locks at the same time.
AT_ONCE = 10
# Of the free disk, WAL may take one part in so many.
SHARE_OF_DISK = 4
STEP = 64


def server(case: Case) -> Iterator[Advice]:
    """`max_wal_size`, `max_locks_per_transaction`."""
    yield _wal(case)
    yield _locks(case)


def _wal(case: Case) -> Advice:
    """A checkpoint is asked for after max_wal_size / (1 + checkpoint_completion_target) of WAL.

    The time that was not spent between checkpoints that were due is when the WAL was written too fast.
    """
    counters, setting = case.counters, case.server["max_wal_size"]
    requested, timed, age = counters.checkpoints_requested, counters.checkpoints_timed, counters.checkpoints_age
    if case.server.is_standby:
        return about(case, "max_wal_size", WAL, "This is a standby; ask the primary.", tell=False)
    told = f"Checkpoints in {since(age)}: {timed:,} when due, {requested:,} because so much was written, or by hand"
    if requested < ENOUGH and age < DAY:
        return about(case, "max_wal_size", WAL, f"{told}: too few, in too short a time.", tell=False)
    if requested < ENOUGH or requested <= FEW * (requested + timed):
        return about(case, "max_wal_size", WAL, f"{told}: most are due by time, as they should be.")
    timeout = timedelta(seconds=case.server["checkpoint_timeout"].number)
    fast = max(age - timed * timeout, requested * timedelta(seconds=1))
    rate = counters.wal_bytes / max(counters.wal_age / timedelta(seconds=1), 1) * max(age / fast, 1)
    between = min(rate * timeout.total_seconds(), counters.wal_bytes)
    needed = between * (1 + case.server["checkpoint_completion_target"].number)
    wants = setting.within(math.ceil(needed / (1 << 30)) << 30)
    if case.disk_free is not None:
        wants = min(wants, setting.within(power_of_two(case.disk_free / SHARE_OF_DISK, up=False)))
    told += f"; WAL: {megabytes(counters.wal_bytes)}"
    if counters.wal_age >= DAY:
        told += f", {megabytes(counters.wal_bytes / (counters.wal_age / DAY))} a day"
    told += f", when it was written fastest {megabytes(rate * 60)} a minute, which {readable(wants)} hold for the "
    told += f"{case.server['checkpoint_timeout'].shown} between two that are due. "
    free = "not known" if case.disk_free is None else megabytes(case.disk_free)
    told += f"It takes that much disk (free: {free}), and a recovery longer."
    if age < DAY:
        told += " This was counted for less than a day: if it was a load that does not come again, leave it."
    return about(case, "max_wal_size", WAL_GUIDE, told, wants if wants > setting.bytes else None)


def most_locks(case: Case) -> dict[str, int]:
    """Locks of what takes most: a query over all partitions, a migration of them, and pg_dump."""
    query = max((lock_table.of_query(len(one.leaves), one.indexes) for one in _partitioned(case)), default=1)
    migration = max((lock_table.of_migration(len(one.leaves), one.indexes) for one in case.tables), default=1)
    return {
        "a query over all partitions": query,
        "a migration": migration,
        "pg_dump": case.counters.tables_to_dump,
    }


def room_for_locks(case: Case) -> int:
    setting = case.server["max_locks_per_transaction"]
    return lock_table.room(int(setting.number), *_sharers(case))


def _sharers(case: Case) -> tuple[int, int]:
    return (
        int(case.server["max_connections"].number),
        int(case.server["max_prepared_transactions"].number),
    )


def _partitioned(case: Case) -> list[Table]:
    return [one for one in case.tables if one.is_partitioned]


def _locks(case: Case) -> Advice:
    name, setting = "max_locks_per_transaction", case.server["max_locks_per_transaction"]
    most, room = most_locks(case), room_for_locks(case)
    connections, prepared = _sharers(case)
    together = math.ceil(connections / AT_ONCE)
    needed = together * most["a query over all partitions"] + most["a migration"] + most["pg_dump"]
    widest = max(case.runs.items(), key=lambda one: one[1].partitions, default=None)
    told = "; ".join(
        f"{len(one.leaves)} partitions of {one.name} with {one.indexes} indexes each" for one in _partitioned(case)
    )
    told = f"{told or 'No table is partitioned'}. Locks: " + ", ".join(
        f"{what} {count:,}" for what, count in most.items()
    )
    if widest:
        told += f"; {widest[0]} touches {widest[1].partitions} tables"
    told += f". {together} such queries, a migration and pg_dump at once take {needed:,}; there is room for {room:,}."
    if needed <= room:
        return about(case, name, LOCKS, told)
    wants = math.ceil(needed / (connections + prepared) / STEP) * STEP
    wants = min(wants, int(setting.maximum or wants))
    return about(case, name, LOCKS, told, str(wants) if wants > setting.number else None)
