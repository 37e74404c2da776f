"""Whether a server answers, told within a bound that holds whatever it does."""

import select
import time
from logging import getLogger

import psycopg2
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import extensions

logger = getLogger("pam.answering")


def answers(connection: BaseDatabaseWrapper, seconds: float) -> bool:
    """Whether `SELECT 1` comes back within so many seconds, over a connection of its own that is closed again.

    The wait is ours and not the server's: one that hangs, or a pool before it without a free connection, ends nothing
    by itself. Only to look a host's name up may take longer. Why not is logged. Locks: none.
    """
    deadline = time.monotonic() + seconds
    # Without what Django adds for cursors of its own.
    parameters = {name: value for name, value in connection.get_connection_params().items() if name != "cursor_factory"}
    try:
        own = psycopg2.connect(**parameters, async_=True)
        try:
            _wait(own, deadline)
            with own.cursor() as cursor:
                cursor.execute("SELECT 1")
                _wait(own, deadline)
                return bool(cursor.fetchone() == (1,))
        finally:
            own.close()
    except (psycopg2.Error, TimeoutError) as error:
        logger.warning("%s does not answer: %s", connection.alias, " ".join(str(error).split()))
        return False


def _wait(connection: extensions.connection, deadline: float) -> None:
    """Until what was asked of it is done."""
    while (state := connection.poll()) != extensions.POLL_OK:
        ours = [connection.fileno()]
        reads, writes = (ours, []) if state == extensions.POLL_READ else ([], ours)
        if not any(select.select(reads, writes, [], max(0, deadline - time.monotonic()))):
            raise TimeoutError("it took too long")
