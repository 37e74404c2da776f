"""One run at a time changes a database: the advisory lock of a run."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from logging import getLogger

from django.db.backends.base.base import BaseDatabaseWrapper

from pam.postgres import activity
from pam.postgres.errors import RunInProgress
from pam.postgres.locks import followed_by, undisturbed

logger = getLogger("pam.migrations")

# The two keys of the advisory lock: "mens", "hun" in ASCII.
RUN_LOCK = (0x6D656E73, 0x0068756E)
# How long a run waits for another run before it gives up.
RUN_PATIENCE_SECONDS = 60 * 60


@contextmanager
def exclusive_run(connection: BaseDatabaseWrapper, patience_seconds: float = RUN_PATIENCE_SECONDS) -> Iterator[None]:
    """Let one run at a time change this database; a second one says for whom it waits, and leaves after a while.

    Within it the session is undisturbed (see `locks`).
    A session-level advisory lock: the server frees it when the session ends, however it ends. It may be taken again by
    the session that has it. Raises RunInProgress.
    """
    with undisturbed(connection), _run_lock(connection, patience_seconds):
        yield


@contextmanager
def _run_lock(connection: BaseDatabaseWrapper, patience_seconds: float) -> Iterator[None]:
    _take_run_lock(connection, patience_seconds)

    def give_back() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", RUN_LOCK)

    with followed_by(connection, give_back):
        yield


def _take_run_lock(connection: BaseDatabaseWrapper, patience_seconds: float) -> None:
    # Asked for again and again, never waited for: a session that waits inside pg_advisory_lock holds a snapshot, and
    # the CREATE INDEX CONCURRENTLY of the other run would wait for that snapshot: a deadlock.
    deadline = time.monotonic() + patience_seconds
    told = False
    while True:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", RUN_LOCK)
            if cursor.fetchone()[0]:
                return
        holder = activity.advisory_holder(connection, *RUN_LOCK)
        if time.monotonic() >= deadline:
            raise RunInProgress(holder)
        if not told and holder:
            logger.warning("Another run is changing this database; waiting for it to end: %s", holder)
            told = True
        time.sleep(min(1.0, patience_seconds))
