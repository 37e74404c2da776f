"""Phase 3 under load against the same end state made offline, in one run: a ratio is shown, nothing is judged by it."""

from collections.abc import Iterator

import pytest
from django.core.management import call_command
from pytest_django import DjangoDbBlocker

from tests.support.bulk import add_audit_rows
from tests.support.clients import Client, busy
from tests.support.cluster import Cluster
from tests.support.floor import floor
from tests.support.manage import migration_seconds
from tests.support.months import add_sessions, partitions
from tests.support.servers import ALIAS, ROOMY, server_under_alias

pytestmark = pytest.mark.once

BEGIN, CONVERTED = "0010_phase3_begin", "0012_phase3_sessions_by_month"
# Two months, and 24.
FEW, MANY = ("2026-10-05 13:37:11+00", 40), ("2024-11-03 13:37:11+00", 700)


@pytest.fixture
def cluster(django_db_blocker: DjangoDbBlocker) -> Iterator[Cluster]:
    with django_db_blocker.unblock(), server_under_alias(ROOMY) as server:
        yield server


@pytest.mark.parametrize(
    ("audit_rows", "session_rows", "months", "loads"),
    [
        (3_000, 1_000, FEW, {"2 clients": (2, 0.0)}),
        pytest.param(
            2_000_000,
            500_000,
            MANY,
            {"nobody else": (0, 0.0), "8 clients at 2 steps a second": (8, 0.5), "8 clients without a pause": (8, 0.0)},
            marks=pytest.mark.scale,
        ),
    ],
)
def test_against_the_floor(cluster, audit_rows, session_rows, months, loads, capsys):
    """A step of a client is some forty statements; without a pause eight of them keep two processors busy."""
    oldest, days = months
    call_command("migrate", "pam", "0001", database=ALIAS, verbosity=0)
    Client(ALIAS, "seed").step(0)
    add_audit_rows(ALIAS, audit_rows, days, oldest)
    add_sessions(ALIAS, session_rows, days, oldest)
    call_command("migrate", "pam", "0090", database=ALIAS, verbosity=0)
    offline, alone = floor(ALIAS), floor(ALIAS, helpers=False)
    told = [
        f"\n{audit_rows:,} audit rows, {session_rows:,} sessions; of the speed of the floor by one session "
        f"({offline:.0f} s), and by one process ({alone:.0f} s):"
    ]
    for load, (count, pause) in loads.items():
        with busy(ALIAS, count, pause, load) as steps:
            # Without the statistics and reports behind it, which the floor has not.
            there = migration_seconds(cluster, "pam", CONVERTED)
            assert partitions(ALIAS, "sessions") != {}
            back = migration_seconds(cluster, "pam", BEGIN)
            assert partitions(ALIAS, "sessions") == {}
        ratios = (f"{offline / taken:.2f} and {alone / taken:.2f}" for taken in (there, back))
        told.append("{}: {} there, {} back ({:,} steps)".format(load, *ratios, sum(steps)))
    with capsys.disabled():
        print("\n  ".join(told))
