"""Copy: all rows, range of blocks by range of blocks, each range and its record in one transaction."""

from dataclasses import dataclass

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql

from pam.postgres.online_copy.dress import Dress
from pam.postgres.online_copy.move import Move

# A chunk's rows are sorted by time, so that a month lies in the order in which it is read.
SORT_MEMORY = "64MB"


@dataclass(frozen=True)
class Chunk:
    """The blocks `[first, end)` of the live table, or of one of its months."""

    number: int
    relation: str
    first: int
    end: int


def chunks_left(connection: BaseDatabaseWrapper, move: Move) -> tuple[list[Chunk], int]:
    """The chunks that are not copied yet, in order, and the rows copied so far."""
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("SELECT n, relation, first_block, end_block FROM {} WHERE rows IS NULL ORDER BY n").format(
                move.chunks
            )
        )
        left = [Chunk(*row) for row in cursor.fetchall()]
        cursor.execute(sql.SQL("SELECT coalesce(sum(rows), 0)::bigint FROM {}").format(move.chunks))
        (copied,) = cursor.fetchone()
    return left, copied


def copy_statement(move: Move, dress: Dress, relation: sql.Composable, where: sql.Composable) -> sql.Composed:
    """Lock: ACCESS SHARE on the live table, as a reader. To months, the stage sends each row to its own."""
    return sql.SQL("INSERT INTO {} ({columns}) SELECT {columns} FROM ONLY {}{} ORDER BY {}").format(
        move.stage if move.to_months else move.target, relation, where, move.time, columns=dress.column_list
    )


def copy(connection: BaseDatabaseWrapper, move: Move, dress: Dress, chunk: Chunk) -> int:
    """Copy one chunk unless somebody has; returns its rows. Killed at any moment, it was copied whole or not at all."""
    where = sql.SQL(" WHERE ctid >= {} AND ctid < {}").format(
        sql.Literal(f"({chunk.first},0)"), sql.Literal(f"({chunk.end},0)")
    )
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL synchronous_commit = off; SET LOCAL work_mem = '{SORT_MEMORY}'")
        # Waits for a worker whose client was killed a moment ago and whose statement the server still runs.
        cursor.execute(sql.SQL("SELECT rows FROM {} WHERE n = %s FOR UPDATE").format(move.chunks), [chunk.number])
        (copied,) = cursor.fetchone()
        if copied is not None:
            return 0
        cursor.execute(copy_statement(move, dress, sql.SQL(chunk.relation), where))
        rows = int(cursor.rowcount)
        cursor.execute(sql.SQL("UPDATE {} SET rows = %s WHERE n = %s").format(move.chunks), [rows, chunk.number])
    return rows
