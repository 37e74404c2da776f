"""Phase 3 under load against the same end state made offline, in one run: a ratio is shown, nothing is judged by it."""

import time

import pytest
from django.core.management import call_command
from django.db import connections

from tests.support.bulk import add_audit_rows
from tests.support.clients import Client
from tests.support.cluster import Cluster
from tests.support.floor import at_rest, floor
from tests.support.load import load
from tests.support.manage import migration_seconds
from tests.support.months import BEGIN, CONVERTED, add_sessions, partitions
from tests.support.servers import ALIAS, ROOMY, server_under_alias

pytestmark = pytest.mark.once

# Two months, and 24 whole ones.
FEW, MANY = ("2026-10-05 13:37:11+00", 40), ("2024-11-01 13:37:11+00", 729)


@pytest.mark.parametrize(
    ("audit_rows", "session_rows", "months", "memory", "loads"),
    [
        (3_000, 1_000, FEW, "128MB", {"2 clients, 20 steps a second": (2, 20), "2 clients, 40": (2, 40)}),
        pytest.param(
            2_000_000,
            500_000,
            MANY,
            "4GB",
            {
                "nobody else": (0, None),
                "8 clients, 4 steps a second": (8, 4),
                "8 clients, 16 steps a second": (8, 16),
                "8 clients without a pause": (8, None),
            },
            marks=pytest.mark.scale,
        ),
    ],
)
def test_against_the_floor(django_db_blocker, audit_rows, session_rows, months, memory, loads, capsys):
    """A step of a client is 19 statements, each a transaction of its own: 9 insert, 7 change, 3 read.

    By 16 steps a second there are in a day more events than there were in two years; 304 statements a second.
    """

    def told(line: str) -> None:
        with capsys.disabled():
            print(line, flush=True)

    oldest, days = months
    with django_db_blocker.unblock(), server_under_alias({**ROOMY, "shared_buffers": memory}) as cluster:
        call_command("migrate", "pam", "0001", database=ALIAS, verbosity=0)
        Client(ALIAS, "seed").step(0)
        add_audit_rows(ALIAS, audit_rows, days, oldest)
        add_sessions(ALIAS, session_rows, days, oldest)
        call_command("migrate", "pam", "0090", database=ALIAS, verbosity=0)
        with connections[ALIAS].cursor() as cursor:
            cursor.execute("VACUUM (ANALYZE)")
        alone = floor(ALIAS, helpers=False)
        told(f"\n{audit_rows:,} audit rows, {session_rows:,} sessions:")
        for name, (clients, rate) in loads.items():
            session = floor(ALIAS)
            with load(cluster, ALIAS, clients, rate) as steps:
                before, began = steps(), time.monotonic()
                # Without the statistics and reports behind it, which the floor has not.
                there = _seconds(cluster, CONVERTED)
                assert partitions(ALIAS, "sessions") != {}
                back = _seconds(cluster, BEGIN)
                assert partitions(ALIAS, "sessions") == {}
                made = steps() - before
                pace = made / (time.monotonic() - began)
            told(f"{name} ({made:,} steps, {pace:.1f} a second), of the speed of one session ({session.seconds:.0f} s)")
            for way, taken in (("there", there), ("back", back)):
                told(
                    f"  {way}: {session.seconds / taken:.2f}; of it without constraints "
                    f"{(session.seconds - session.constraints) / taken:.2f}; of one process {alone.seconds / taken:.2f}"
                )


def _seconds(cluster: Cluster, target: str) -> float:
    at_rest(ALIAS)
    return migration_seconds(cluster, "pam", target)
