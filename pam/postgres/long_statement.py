"""Statements that take minutes or hours, and that Ctrl-C can end."""

import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql

INTERRUPTS = {signal.SIGINT, signal.SIGTERM}


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
            _wait_or_cancel(connection, pool, execute)
    finally:
        connection.dec_thread_sharing()


def _wait_or_cancel(connection: BaseDatabaseWrapper, pool: ThreadPoolExecutor, execute: Callable[[], None]) -> None:
    # Held back while the thread starts: an interrupt there would leave a statement that nobody cancels.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)
    running = pool.submit(execute)
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        running.result()
    except KeyboardInterrupt:
        # Again and again, since a cancel that comes before the statement does nothing.
        while not running.done():
            connection.connection.cancel()
            wait([running], timeout=0.1)
        running.result()
        raise
