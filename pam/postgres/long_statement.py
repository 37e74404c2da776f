"""Statements that take minutes or hours, and that Ctrl-C can end."""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress

import psycopg2
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql

INTERRUPTS = {signal.SIGINT, signal.SIGTERM}
# How soon a cancel is sent again.
AGAIN_SECONDS = 0.1


def execute_long(connection: BaseDatabaseWrapper, statement: str | sql.Composable) -> None:
    """Execute `statement`; at Ctrl-C cancel it on the server too. Raises KeyboardInterrupt then, from the error.

    The driver waits inside libpq, where Python sees no signal: Ctrl-C would do nothing until a build of an hour has
    ended. So the statement runs on a thread of its own, and the main thread waits where a signal reaches it. On another
    thread than the main one, to which no signal comes, it is simply executed.
    """

    def execute() -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)

    if threading.current_thread() is not threading.main_thread():
        execute()
        return
    connection.inc_thread_sharing()
    try:
        with ThreadPoolExecutor(1) as pool:
            _wait_or_cancel(connection, pool, execute)
    finally:
        connection.dec_thread_sharing()


def _wait_or_cancel(connection: BaseDatabaseWrapper, pool: ThreadPoolExecutor, execute: Callable[[], None]) -> None:
    try:
        with interrupts_held_back():
            running = pool.submit(execute)
        running.result()
    except KeyboardInterrupt as interrupt:
        cancel_until_done([running], [connection])
        raise interrupt from running.exception()


@contextmanager
def interrupts_held_back() -> Iterator[None]:
    """While threads start: an interrupt there would leave a statement that nobody cancels. It comes at the end."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def cancel_until_done(running: "Sequence[Future[None]]", sessions: Sequence[BaseDatabaseWrapper]) -> None:
    """Cancel on the server what these sessions are at, until all threads that use them have ended.

    Again and again, since a cancel that comes before the statement does nothing.
    """
    while not all(one.done() for one in running):
        for session in sessions:
            if (driver := session.connection) is not None:
                # Its thread may close it just now, or the server be gone: then there is nothing to cancel.
                with suppress(psycopg2.Error):
                    driver.cancel()
        wait(running, timeout=AGAIN_SECONDS)
