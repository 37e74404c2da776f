"""Statements that take minutes or hours, and that Ctrl-C can end."""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import psycopg2
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql

T = TypeVar("T")

INTERRUPTS = {signal.SIGINT, signal.SIGTERM}
# How soon a cancel is sent again.
AGAIN_SECONDS = 0.1


def execute_long(connection: BaseDatabaseWrapper, statement: str | sql.Composable) -> None:
    """Execute `statement`; at Ctrl-C cancel it on the server too. Raises KeyboardInterrupt then, from the error."""

    def execute() -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)

    call_long(connection, execute)


def call_long(connection: BaseDatabaseWrapper, work: Callable[[], T]) -> T:
    """Do `work`, whose statements run on this very connection; at Ctrl-C cancel what it is at, and let it end.

    The driver waits inside libpq, where Python sees no signal: Ctrl-C would do nothing until a build of an hour has
    ended. So the work is done on a thread of its own, and the main thread waits where a signal reaches it. On another
    thread than the main one, to which no signal comes, it is simply done. `work` must not look the connection up by its
    alias, as `transaction.atomic` does: each thread has its own. Raises KeyboardInterrupt, from the error at its end.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    connection.inc_thread_sharing()
    try:
        with ThreadPoolExecutor(1) as pool:
            return _wait_or_cancel(connection, pool, work)
    finally:
        connection.dec_thread_sharing()


def _wait_or_cancel(connection: BaseDatabaseWrapper, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    running: Future[T] | None = None
    try:
        with interrupts_held_back():
            running = pool.submit(work)
        return running.result()
    except KeyboardInterrupt as interrupt:
        if running is None:
            raise
        cancel_until_done([running], [connection])
        raise interrupt from running.exception()


@contextmanager
def interrupts_held_back() -> Iterator[None]:
    """While threads start: an interrupt there would leave a statement that nobody cancels. It comes at the end.

    Only from this thread: a signal that the system gives to another one of the process comes at once.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def cancel_until_done(running: "Sequence[Future[Any]]", sessions: Sequence[BaseDatabaseWrapper]) -> None:
    """Cancel on the server what these sessions are at, until all threads that use them have ended.

    Again and again, since a cancel that comes before the statement does nothing; also if Ctrl-C is pressed once more,
    or a statement would be left that nobody cancels.
    """
    while not all(one.done() for one in running):
        for session in sessions:
            if (driver := session.connection) is not None:
                # Its thread may close it just now, or the server be gone: then there is nothing to cancel.
                with suppress(psycopg2.Error):
                    driver.cancel()
        with suppress(KeyboardInterrupt):
            wait(running, timeout=AGAIN_SECONDS)
