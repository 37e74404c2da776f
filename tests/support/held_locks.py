"""For how long a table is locked against everybody else, measured at the server."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management import call_command

from tests.support.databases import session
from tests.support.months import BEGIN, CONVERTED

# The modes of a lock on a table, as pg_locks names them, the weakest first.
MODES = [
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
]
# Whether somebody holds, for himself alone, the table that others know by this name, between two looks at the server's
# clock (milliseconds), and which table has the name; what is done to the old one after it has lost it hinders nobody.
LOOK = """
SELECT extract(epoch FROM clock_timestamp())::float8 * 1000, EXISTS (
    SELECT FROM pg_locks
    WHERE locktype = 'relation' AND relation = to_regclass(%s) AND mode = 'AccessExclusiveLock' AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
), extract(epoch FROM clock_timestamp())::float8 * 1000, to_regclass(%s)::oid
"""


@contextmanager
def watched(alias: str, table: str) -> Iterator[list[float]]:
    """Looks without a pause who holds `table`; yields for how many milliseconds somebody did, each time, at most.

    From before the last look that found it free to after the first that found it free again; if none found it held, but
    another table has its name, it was in between. Complete after the block.
    """
    held: list[float] = []
    stop, ready = threading.Event(), threading.Event()

    def look() -> None:
        free, was_held, is_last, known = 0.0, False, False, None
        with session(alias) as other, other.cursor() as cursor:
            while not is_last:
                is_last = stop.is_set()
                cursor.execute(LOOK, [table, table])
                ((before, is_held, after, found),) = cursor.fetchall()
                if not is_held:
                    if was_held or (known and found != known):
                        held.append(after - free)
                    free, known = before, found
                was_held = is_held
                ready.set()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        assert ready.wait(10)
        yield held
    finally:
        stop.set()
        thread.join()


def swap_lock(alias: str, *, back: bool) -> float:
    """Phase 3 there or back; for how many milliseconds, at most, its swap locks `sessions`.

    Prepared ahead of time, so that hardly anything but the swap is watched.
    """
    call_command("pam_partitions", "prepare", back=back, database=alias, verbosity=0, stdout=io.StringIO())
    with watched(alias, "sessions") as held:
        call_command("migrate", "pam", BEGIN if back else CONVERTED, database=alias, verbosity=0)
    assert held, "the watcher saw the swap"
    return max(held)
