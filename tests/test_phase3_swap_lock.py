"""The swap's lock, measured at the server: some milliseconds, whatever the rows and the months."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.core.management import call_command

from tests.support.clients import Client
from tests.support.databases import session
from tests.support.months import add_sessions, partitions

BEGIN = "0010_phase3_begin"
# The server's clock in milliseconds while somebody holds, for himself alone, the table that others know by this name;
# what is done to the old one after it has lost the name hinders nobody.
HELD = """
SELECT extract(epoch FROM clock_timestamp()) * 1000
WHERE EXISTS (
    SELECT FROM pg_locks
    WHERE locktype = 'relation' AND relation = to_regclass(%s) AND mode = 'AccessExclusiveLock' AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
)
"""


@contextmanager
def watched(alias: str, table: str) -> Iterator[list[float]]:
    """Looks without a pause who holds `table`; yields the moments at which somebody did."""
    moments: list[float] = []
    stop, ready = threading.Event(), threading.Event()

    def look() -> None:
        with session(alias) as other, other.cursor() as cursor:
            while not stop.is_set():
                cursor.execute(HELD, [table])
                moments.extend(float(at) for (at,) in cursor.fetchall())
                ready.set()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        assert ready.wait(10)
        yield moments
    finally:
        stop.set()
        thread.join()


def longest(moments: list[float]) -> float:
    """Milliseconds of the longest time without a gap of 100 ms: tries that were given up are told apart."""
    began = last = moments[0]
    found = 0.0
    for moment in moments:
        if moment - last > 100:
            began = moment
        last = moment
        found = max(found, last - began)
    return found


@pytest.mark.parametrize(
    ("sizes", "spans"),
    [([300], [1, 24]), pytest.param([10_000, 500_000, 5_000_000], [1, 24, 84], marks=pytest.mark.scale)],
)
def test_flat(phase2, sizes, spans, capsys):
    """There and back; prepared ahead of time, so that hardly anything but the swap is watched."""
    Client(phase2, "seed").step(0)
    told = []
    for rows in sizes:
        for months in spans:
            with session(phase2) as other, other.cursor() as cursor:
                cursor.execute("TRUNCATE sessions")
            begin = f"{2026 - months // 12}-11-02 13:37:11+00"
            add_sessions(phase2, rows, max(1, months * 30 - 25), begin)
            for way, target in (("there", ()), ("back", (BEGIN,))):
                call_command("pam_partitions", "prepare", back=bool(target), database=phase2, verbosity=0)
                with watched(phase2, "sessions") as moments:
                    call_command("migrate", "pam", *target, database=phase2, verbosity=0)
                assert moments, "the watcher saw the swap"
                assert bool(partitions(phase2, "sessions")) == (way == "there")
                told.append(f"{rows:>9,} rows, {months:2} months, {way:5}: {longest(moments):5.1f} ms")
    with capsys.disabled():
        print("\nlock of the swap of sessions:\n  " + "\n  ".join(told))
