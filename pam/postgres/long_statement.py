"""Statements that take minutes or hours, and that Ctrl-C can end."""

from concurrent.futures import ThreadPoolExecutor

from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql


def execute_long(connection: BaseDatabaseWrapper, statement: str | sql.Composed) -> None:
    """Execute `statement`; at Ctrl-C cancel it on the server too, which ends it with SQLSTATE 57014.

    The driver waits inside libpq, where Python sees no signal: Ctrl-C would do nothing until a build of an hour has
    ended. So the statement runs on a thread of its own, and the main thread waits where a signal reaches it.
    """

    def execute() -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)

    connection.inc_thread_sharing()
    try:
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(execute)
            try:
                running.result()
            except KeyboardInterrupt:
                connection.connection.cancel()
                running.result()
                raise
    finally:
        connection.dec_thread_sharing()
