"""The swap's lock, measured at the server: some milliseconds, whatever the rows and the months."""

import pytest

from pam.postgres.months import Month
from tests.support.clients import Client
from tests.support.databases import session
from tests.support.held_locks import swap_lock
from tests.support.months import add_sessions_over, partitions

LAST = Month(2026, 10)


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
            add_sessions_over(phase2, rows, months, LAST)
            for way in ("there", "back"):
                longest = swap_lock(phase2, back=way == "back")
                assert bool(partitions(phase2, "sessions")) == (way == "there")
                told.append(f"{rows:>9,} rows, {months:2} months, {way:5}: at most {longest:5.1f} ms")
    with capsys.disabled():
        print("\nlock of the swap of sessions:\n  " + "\n  ".join(told))
