"""Phase 3 killed before each of its statements, forwards and backwards, by SIGKILL and by a crash; then run again."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connections
from pytest_django import DjangoDbBlocker

from tests.support.bulk import add_audit_rows
from tests.support.clients import Client, checksums
from tests.support.cluster import Cluster
from tests.support.embedded import KEY
from tests.support.manage import run
from tests.support.months import add_sessions, left_over, partitions
from tests.support.servers import ALIAS, DATABASE, server_under_alias

ROOT = Path(__file__).parent.parent
ROADS = {"there": ("migrate", "pam"), "back": ("migrate", "pam", "0010_phase3_begin")}
END = "2027-01-01"
# When the rows begin, over how many days, how many months are made ahead: few months have the same steps as many.
TWO_MONTHS = ("2026-10-05 13:37:11+00", 40, 1)


@pytest.fixture(scope="module")
def cluster(request: pytest.FixtureRequest, django_db_blocker: DjangoDbBlocker) -> Iterator[Cluster]:
    """A server that may crash, with rows of some months in both tables, phases 1 and 2 applied."""
    begin, days, premake = request.param
    with (
        pytest.MonkeyPatch.context() as patch,
        django_db_blocker.unblock(),
        server_under_alias({"restart_after_crash": "off"}) as server,
    ):
        patch.setenv("PAM_PARTITION_PREMAKE", str(premake))
        # What is of no phase, such as the indexes of lists, comes with the first road only and is not counted.
        run(server, "migrate", "-v0", "pam")
        run(server, "migrate", "-v0", "pam", "0010_phase3_begin")
        Client(ALIAS, "seed").step(0)
        add_audit_rows(ALIAS, 3000, days, begin)
        add_sessions(ALIAS, 600, days, begin)
        yield server


def dying(cluster: Cluster, how: str, when: int | str, road: str) -> "subprocess.CompletedProcess[str]":
    environment = {
        **os.environ,
        "DATABASE_URL": cluster.url(DATABASE),
        "SECRET_KEY": KEY,
        "ALLOWED_HOSTS": "localhost",
    }
    return subprocess.run(
        [sys.executable, "-m", "tests.support.dying", how, str(when), *ROADS[road]],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def lengths(cluster: Cluster) -> dict[str, int]:
    """How many statements each road has: they are read off a run, so that a new step is killed too."""
    found: dict[str, int] = {}
    for road in ROADS:
        done = dying(cluster, "count", 0, road)
        assert done.returncode == 0, done.stdout
        found[road] = int(done.stdout.rpartition("statements: ")[2])
    return found


def moments(lengths: dict[str, int], road: str, wanted: int | None) -> list[int]:
    """Every statement, or so many of them, spread evenly over the road."""
    length = lengths[road]
    return list(range(1, length + 1)) if wanted is None else [1 + length * n // wanted for n in range(wanted)]


@pytest.mark.parametrize(
    ("cluster", "wanted"),
    [(TWO_MONTHS, 3), pytest.param(TWO_MONTHS, None, marks=pytest.mark.scale)],
    indirect=["cluster"],
    ids=["some", "each"],
)
def test_killed_before_a_statement_and_run_again(cluster, lengths, wanted):
    before = checksums(ALIAS, END)
    ways = {road: iter(moments(lengths, road, wanted)) for road in ROADS}
    number = 0
    while True:
        struck = 0
        for road, partitioned in (("there", True), ("back", False)):
            when = next(ways[road], None)
            if when is not None:
                struck += 1
                number += 1
                strike(cluster, "crash" if number % 3 == 0 else "kill", when, road)
            run(cluster, *ROADS[road])
            assert bool(partitions(ALIAS, "audit_logs")) == bool(partitions(ALIAS, "sessions")) == partitioned
            assert left_over(ALIAS) == []
            assert checksums(ALIAS, END) == before
        if not struck:
            break


@pytest.mark.parametrize("cluster", [TWO_MONTHS], indirect=True, ids=["some"])
def test_the_server_goes_while_django_records_a_migration(cluster):
    before = checksums(ALIAS, END)
    strike(cluster, "crash", "record", "there")
    for road in ROADS:
        run(cluster, *ROADS[road])
        assert left_over(ALIAS) == []
        assert checksums(ALIAS, END) == before


def strike(cluster: Cluster, how: str, when: int | str, road: str) -> None:
    connections[ALIAS].close()
    died = dying(cluster, how, when, road)
    if how == "crash":
        assert "Traceback" not in died.stdout, died.stdout
        assert died.returncode == 1, died.stdout
        # What to run next; where it was about to connect, how to see whether the server is there, and lets one in.
        assert re.search("python manage.py migrate|pg_isready -h|psql -h", died.stdout), died.stdout
        cluster._server.wait()
        cluster.start()
    else:
        assert died.returncode == -9, died.stdout
