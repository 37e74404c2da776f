"""A line at the terminal while rows are copied: rows, rows per second, time left, captured keys that wait."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Never

from django.db.backends.base.base import BaseDatabaseWrapper
from tqdm import tqdm

from pam.postgres.online_copy.move import Move
from pam.postgres.online_copy.replay import waiting


@contextmanager
def progress_line(connection: BaseDatabaseWrapper, move: Move, copied: int) -> Iterator[Callable[[int], None]]:
    """Yields what is to be told each number of rows copied. Nothing is shown when stderr is not a terminal."""
    bar: tqdm[Never] = tqdm(
        desc=str(move.source),
        total=max(_estimate(connection, move), copied),
        initial=copied,
        unit=" rows",
        unit_scale=True,
        leave=False,
        disable=not sys.stderr.isatty(),
    )

    def told(rows: int) -> None:
        bar.update(rows)
        if not bar.disable:
            bar.set_postfix_str(f"{waiting(connection, move):,} captured keys wait", refresh=False)

    try:
        yield told
    finally:
        bar.close()


def _estimate(connection: BaseDatabaseWrapper, move: Move) -> int:
    """The rows of the live table as its statistics say."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT greatest(sum(c.reltuples), 0)::bigint FROM pg_catalog.pg_class c WHERE c.relkind = 'r'"
            " AND (c.oid = %s OR c.oid IN (SELECT i.inhrelid FROM pg_catalog.pg_inherits i WHERE i.inhparent = %s))",
            [move.source.oid, move.source.oid],
        )
        (rows,) = cursor.fetchone()
    return int(rows or 0)
