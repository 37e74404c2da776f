"""Builds and drops an index on one plain, live table: heals what an interrupted run left, and waits politely.

Everything here reads from the catalog where it is, so it may be killed at any moment and run again.
https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY says what the server does.
"""

import time
from logging import getLogger

from django.db import Error, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql

from pam.postgres import catalog
from pam.postgres.catalog import Index, Relation
from pam.postgres.errors import BuildFailed, LockUnavailable, NameTaken, build_failed
from pam.postgres.index_spec import IndexSpec, create_sql, require_free, require_same
from pam.postgres.locks import CALM, HOUR_MS, is_open, timeouts, with_retries
from pam.postgres.long_statement import execute_long
from pam.postgres.watch import watched_build

logger = getLogger("pam.migrations")

# Lock: SHARE UPDATE EXCLUSIVE on the table for a moment; no reader or writer waits for it, an autovacuum gives way.
RESERVE = sql.SQL("LOCK TABLE ONLY {table} IN SHARE UPDATE EXCLUSIVE MODE")

# Lock: SHARE UPDATE EXCLUSIVE on the table; no reader or writer waits. Waits itself for older transactions on the
# table, then for none; the time held does not grow with rows.
DROP = sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {index}")


def ensure(connection: BaseDatabaseWrapper, spec: IndexSpec, table: Relation, name: str) -> None:
    """Make sure that the plain `table`, or materialized view, has the index `spec` under `name`, valid.

    A valid one of the same definition is accepted, an INVALID one is dropped and built again. Lock on the table while
    it builds: SHARE UPDATE EXCLUSIVE, which no reader or writer waits for; on a view SHARE, which only a refresh waits
    for. Raises NameTaken before anything is changed, LockUnavailable, BuildFailed.
    """
    _reserve(connection, table)
    found = catalog.index(connection, table.schema, name)
    if found and found.is_valid:
        require_same(connection, spec, table, found)
        logger.info("%s on %s: already there, valid", name, table)
        return
    if found:
        _require_on(connection, spec, table, found)
        logger.warning("%s on %s: INVALID, dropped and built again; it was %s", name, table, found.statement)
        drop(connection, table, found)
    else:
        require_free(connection, spec, table, name)
    _create(connection, spec, table, name)


def remove(connection: BaseDatabaseWrapper, spec: IndexSpec, table: Relation, name: str) -> None:
    """Make sure that the plain `table` has no index `spec` under `name`, valid or not.

    A valid one of another definition is not ours: NameTaken. Otherwise as `drop`.
    """
    found = catalog.index(connection, table.schema, name)
    if found is None:
        return
    if found.is_valid or found.table_oid != table.oid:
        require_same(connection, spec, table, found)
    drop(connection, table, found)
    logger.info("%s on %s: dropped", name, table)


def drop(connection: BaseDatabaseWrapper, table: Relation, index: Index, *, lock_ms: int = HOUR_MS) -> None:
    """Drop `index` of the plain `table` concurrently. Lock on the table: SHARE UPDATE EXCLUSIVE.

    `lock_ms` bounds each wait for an older transaction. Raises LockUnavailable, BuildFailed; interrupted, it leaves an
    INVALID index, which the next run drops.
    """
    _reserve(connection, table)
    try:
        _run_long(connection, DROP.format(index=index.identifier), index.name, lock_ms)
    except Error as error:
        raise build_failed(error, f"Dropping the index {index.name} on {table}", is_open(connection)) from error


def _create(connection: BaseDatabaseWrapper, spec: IndexSpec, table: Relation, name: str) -> None:
    started = time.monotonic()
    # A view has readers only, whom a plain build hinders as little: and that one waits for no older transaction, cannot
    # fall to a deadlock with a refresh, and is there whole or not at all.
    concurrently = table.kind != catalog.MATERIALIZED
    statement = create_sql(connection, spec, name, table.identifier, concurrently=concurrently)
    try:
        _run_long(connection, statement, name, HOUR_MS)
    except Error as error:
        raise build_failed(
            error, f"Building the index {name} on {table}", is_open(connection), _clear_away(connection, table, name)
        ) from error
    logger.info("%s on %s: built in %.1f s", name, table, time.monotonic() - started)


def _run_long(connection: BaseDatabaseWrapper, statement: str | sql.Composed, index: str, lock_ms: int) -> None:
    """At Ctrl-C too it ends with the server's error, so that what it left goes and is told of."""
    error = None
    with watched_build(connection, index), timeouts(connection, lock_ms=lock_ms):
        try:
            execute_long(connection, statement)
        except KeyboardInterrupt as interrupt:
            if not isinstance(interrupt.__cause__, Error):
                raise
            error = interrupt.__cause__
    if error:
        raise error


def _clear_away(connection: BaseDatabaseWrapper, table: Relation, name: str) -> str:
    """Drop what a failed build left, since an INVALID index still costs each writer; say what became of it."""
    if not is_open(connection):
        return ""
    left = catalog.index(connection, table.schema, name)
    if left is None or left.is_valid:
        return ""
    try:
        drop(connection, table, left, lock_ms=CALM.lock_timeout_ms)
    except (BuildFailed, LockUnavailable) as error:
        return f"It is left INVALID, since dropping it failed too ({error}); the next run drops it and builds it again."
    return "What it left was dropped."


def _reserve(connection: BaseDatabaseWrapper, table: Relation) -> None:
    """Wait, within bounds and with retries, until no other DDL, index build or vacuum is at work on the table.

    A materialized view cannot be locked by LOCK TABLE, and only its refreshes are at work on it: the build waits for
    one in a queue that keeps no reader.
    """
    if table.kind == catalog.MATERIALIZED:
        return

    def reserve() -> None:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute(RESERVE.format(table=table.identifier))

    with_retries(connection, CALM, "SHARE UPDATE EXCLUSIVE", [table], reserve)


def _require_on(connection: BaseDatabaseWrapper, spec: IndexSpec, table: Relation, found: Index) -> None:
    if found.table_oid != table.oid or found.is_partitioned or found.parent_oid:
        raise NameTaken(found.name, found.statement, create_sql(connection, spec, found.name, table.identifier))
