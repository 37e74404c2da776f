"""Rows in the order of an index, when few of them are wanted."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper


@contextmanager
def in_index_order(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """A transaction, or a savepoint, in which no query gathers all rows that an index finds before it sorts them (a bitmap scan).

    Where the planner expects fewer rows than are wanted, it takes the bitmap. It does so wherever two conditions go
    together that it takes for independent, such as "failed" and "to be tried again by now": of a million rows it
    expects 26, and 4,000 are there. Read in the order of the index, it ends after the first page. Locks: none.
    """
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute("SELECT pg_catalog.current_setting('enable_bitmapscan')")
        (before,) = cursor.fetchone()
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        yield
        cursor.execute("SELECT pg_catalog.set_config('enable_bitmapscan', %s, true)", [before])
