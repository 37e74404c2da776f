"""What a conversion would do to a table as it is now: obstacles, sizes, time, locks, statements. Changes nothing."""

import time
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import Error, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql

from pam.postgres import catalog
from pam.postgres.disk import free
from pam.postgres.errors import MenshunError, TableMissing, build_failed
from pam.postgres.locks import CALM, is_open, with_retries
from pam.postgres.monthly_catalog import months_of
from pam.postgres.months import months
from pam.postgres.online_copy import disk, obstacles, script
from pam.postgres.online_copy import dress as wardrobe
from pam.postgres.online_copy.build import span_of
from pam.postgres.online_copy.dress import Dress, read_dress
from pam.postgres.online_copy.engine import is_done
from pam.postgres.online_copy.move import Layout, Move
from pam.postgres.online_copy.step import Step

SAMPLE_ROWS = 20_000


class ReadOnly(MenshunError):
    """A standby, or a session that may not write."""

    def __init__(self) -> None:
        super().__init__(
            "This session is read-only (a standby, or default_transaction_read_only), and the time is measured on a "
            "temporary table. Ask the primary, as a role that may write: python manage.py pam_plan --database ALIAS"
        )


@dataclass(frozen=True)
class PlannedStep:
    """A step as it is printed; `locks` are on tables in use, `grows` is what the time grows with that they are held.

    `locks_told` says the same for a person."""

    name: str
    statements: tuple[str, ...]
    locks: tuple[str, ...]
    locks_told: str
    grows: str
    done: str


@dataclass(frozen=True)
class Plan:
    """All that is known beforehand. Sizes are bytes, times seconds; None is what cannot be known from here."""

    table: str
    to_months: bool
    is_done: bool
    obstacles: tuple[str, ...] = ()
    rows: int = 0
    bytes: int = 0
    months: int = 0
    disk_needed: int = 0
    disk_free: int | None = None
    wal: int = 0
    workers: int = 0
    seconds: float | None = None
    longest_lock_ms: float | None = None
    steps: tuple[PlannedStep, ...] = ()


def plan(connection: BaseDatabaseWrapper, layout: Layout, *, to_months: bool, now: datetime) -> Plan:
    """The plan for one table. Locks: ACCESS SHARE on it, while it is read some four times. Raises TableMissing.

    The time is that of a sample of rows copied into a temporary table, which is rolled back; the longest lock is that
    of renaming as many objects as the swap does, measured the same way. Both are None for a role that may make no
    temporary table. Raises ReadOnly where nobody may, and LockUnavailable, which names who keeps even readers out.
    """
    source = catalog.relation(connection, layout.table)
    if source is None:
        raise TableMissing(layout.table)
    _require_writable(connection)
    tables, move = [source, *catalog.partitions(connection, source)], Move(source, layout, to_months)
    try:
        return with_retries(connection, CALM, "ACCESS SHARE", tables, lambda: _plan(connection, move, now))
    except Error as error:
        raise build_failed(error, f"Planning for {source}", is_open(connection)) from error


def _require_writable(connection: BaseDatabaseWrapper) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_read_only")
        if cursor.fetchone()[0] == "on":
            raise ReadOnly


def _plan(connection: BaseDatabaseWrapper, move: Move, now: datetime) -> Plan:
    source, to_months = move.source, move.to_months
    if is_done(connection, move):
        return Plan(str(source), to_months, is_done=True)
    found = tuple(str(obstacle) for obstacle in obstacles.find(connection, move, now))
    dress = read_dress(connection, source)
    rows, size = disk.rows(connection, source), disk.size(connection, source)
    span = span_of(connection, move, now)
    may_measure = _has_temporary_tables(connection)
    return Plan(
        table=str(source),
        to_months=to_months,
        is_done=False,
        obstacles=found,
        rows=rows,
        bytes=size,
        months=len(list(months(span.first, span.last)) if to_months else months_of(connection, source)),
        disk_needed=disk.needed(connection, source),
        disk_free=free(connection),
        wal=size,
        workers=settings.PAM_COPY_WORKERS,
        seconds=_estimate(connection, move, dress, rows) if may_measure else None,
        longest_lock_ms=_rename_ms(connection, dress) if may_measure else None,
        steps=tuple(
            _printed(connection, step, setting)
            for step, setting in script.with_settings(script.planned(connection, move, now))
        ),
    )


def _has_temporary_tables(connection: BaseDatabaseWrapper) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'TEMPORARY')")
        (may,) = cursor.fetchone()
    return bool(may)


def _printed(connection: BaseDatabaseWrapper, step: Step, setting: tuple[str, ...]) -> PlannedStep:
    def text(statement: sql.Composable) -> str:
        return statement.as_string(connection.connection)

    return PlannedStep(
        step.name,
        (*setting, *map(text, step.script())),
        tuple(map(str, step.locks)),
        step.locks_told,
        step.grows,
        script.one_line(text(step.done)),
    )


def _estimate(connection: BaseDatabaseWrapper, move: Move, dress: Dress, rows: int) -> float:
    """Seconds to copy all rows and build their indexes, by a sample; vacuum, verification and clients come on top."""
    sample = sql.Identifier("pg_temp", "menshun_sample")
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("CREATE TEMPORARY TABLE menshun_sample (LIKE {} INCLUDING CONSTRAINTS) ON COMMIT DROP").format(
                move.source.identifier
            )
        )
        began = time.perf_counter()
        cursor.execute(
            sql.SQL("INSERT INTO {} ({columns}) SELECT {columns} FROM {} LIMIT {}").format(
                sample, move.source.identifier, sql.Literal(SAMPLE_ROWS), columns=dress.column_list
            )
        )
        copied = max(int(cursor.rowcount), 1)
        for number, key in enumerate(dress.keys):
            cursor.execute(wardrobe.create_key(move, key, sample, f"menshun_sample_{number}"))
        seconds = time.perf_counter() - began
        transaction.set_rollback(True, using=connection.alias)
    return seconds / copied * rows / settings.PAM_COPY_WORKERS


def _rename_ms(connection: BaseDatabaseWrapper, dress: Dress) -> float:
    """Milliseconds for as many renames as the swap makes, on temporary tables. It does not depend on rows or months."""
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        count = 2 + 2 * len(dress.keys)
        for number in range(count):
            cursor.execute(f"CREATE TEMPORARY TABLE menshun_rename_{number} () ON COMMIT DROP")
        began = time.perf_counter()
        for number in range(count):
            cursor.execute(f"ALTER TABLE menshun_rename_{number} RENAME TO menshun_renamed_{number}")
        taken = time.perf_counter() - began
        transaction.set_rollback(True, using=connection.alias)
    return taken * 1000
