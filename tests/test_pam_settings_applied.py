"""The advice applied to a server of its own: it starts, the queries keep their promise, nothing more is advised.

The statements run exactly as they are printed.
"""

import io
import json
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from pytest_django import DjangoDbBlocker

from pam.explain import spills
from pam.explain.sample import Sample
from pam.monitoring.verdicts import verdicts_on
from pam.workload import QUERIES
from tests.support.cluster import Cluster
from tests.support.company import UNTIL
from tests.support.servers import ALIAS, DATABASE, server_under_alias
from tests.support.turns import medians

# A server that was set up badly, in its configuration and not on its command line, where ALTER SYSTEM reaches.
BADLY = {
    "work_mem": "64kB",
    "maintenance_work_mem": "1MB",
    "effective_cache_size": "8MB",
    "max_locks_per_transaction": "10",
}
MEMORY = "8GB"


@pytest.fixture
def cluster(django_db_blocker: DjangoDbBlocker) -> Iterator[Cluster]:
    with django_db_blocker.unblock(), server_under_alias({"fsync": "on", "max_connections": 20}) as server:
        yield server


def loaded(cluster: Cluster, profile: str, months: int, settings: dict[str, str]) -> None:
    call_command("migrate", database=ALIAS, verbosity=0)
    call_command("pam_load", profile=profile, months=months, until=UNTIL, database=ALIAS, stdout=io.StringIO())
    for name, value in settings.items():
        cluster.execute(f"ALTER SYSTEM SET {name} = '{value}'")
    restarted(cluster)


def restarted(cluster: Cluster) -> None:
    connections[ALIAS].close()
    cluster.stop()
    cluster.start()


def told(*options: str) -> str:
    """What it prints. That it ends with 1 where a setting does harm is for others to test."""
    out = io.StringIO()
    with suppress(CommandError):
        call_command("pam_settings", "--memory", MEMORY, *options, database=ALIAS, stdout=out)
    return out.getvalue()


def advised(*harmful: str) -> list[dict[str, Any]]:
    document = json.loads(told("--json"))
    assert {one["subject"] for one in document["findings"]} <= set(harmful)
    assert document["notes"] == []
    found: list[dict[str, Any]] = document["advice"]
    return found


def printed_statements() -> list[str]:
    return [line.strip() for line in told().splitlines() if line.startswith("          ALTER ")]


def broken_promises() -> list[str]:
    """Whole sentences, so that a failure tells what was read instead."""
    return [f"{one.name}: {finding}" for one in verdicts_on(ALIAS, QUERIES, analyze=True) for finding in one.findings]


def shown(cluster: Cluster, advice: list[dict[str, Any]]) -> dict[str, Any]:
    """What SHOW says of the settings that are advised, and what the tables' parameters are."""
    return {one["name"]: cluster.execute(f"SHOW {one['name']}", DATABASE)[0][0] for one in advice}


@pytest.mark.parametrize(
    ("profile", "months", "rounds", "settings", "expected"),
    [
        ("small", 1, 1, BADLY, BADLY.keys() - {"work_mem"} | {"random_page_cost"}),
        pytest.param("medium", 12, 5, BADLY, BADLY.keys() | {"random_page_cost"}, marks=pytest.mark.scale),
        pytest.param("medium", 12, 5, {}, {"random_page_cost"}, marks=pytest.mark.scale),
    ],
    ids=["small, set up badly", "medium, set up badly", "medium, as initdb makes it"],
)
def test_the_advice_applied(cluster, profile, months, rounds, settings, expected, capsys):
    loaded(cluster, profile, months, settings)
    before = advised(*settings)
    wanted = [one for one in before if one["statements"]]
    of_server = [one for one in wanted if one["subject"] == "server"]
    assert {one["name"] for one in of_server} >= expected
    assert {one["name"] for one in wanted} >= {"autovacuum_freeze_min_age"}
    slow = measured(rounds)

    statements = printed_statements()
    assert len(statements) == sum(len(one["statements"]) for one in wanted)
    for statement in statements:
        cluster.execute(statement, DATABASE)
    restarted(cluster)

    assert shown(cluster, of_server) == {one["name"]: one["wants"] for one in of_server}
    parameters = "SELECT count(*) FROM pg_class WHERE 'autovacuum_freeze_min_age=0' = ANY (reloptions)"
    months_there = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'audit_logs'::regclass"
    assert cluster.execute(parameters, DATABASE) == cluster.execute(months_there, DATABASE)
    again = advised()
    assert [one for one in again if one["statements"]] == []
    assert printed_statements() == []
    assert broken_promises() == []
    quick = measured(rounds)
    assert {name for name, run in quick.items() if run[1]} == set()

    worst = max(slow, key=lambda name: slow[name][0])
    changes = ", ".join(f"{one['name']} {one['has']} to {one['wants']}" for one in of_server)
    with capsys.disabled():
        print(
            f"\n{profile}: {changes}; of the time before, the named queries take {total(quick) / total(slow):.2f}, "
            f"the longest of them ({worst}) {quick[worst][0] / slow[worst][0]:.2f}; "
            f"spilled before: {', '.join(name for name, run in slow.items() if run[1]) or 'none'}"
        )


def measured(rounds: int) -> dict[str, tuple[float, tuple[str, ...]]]:
    """Milliseconds of each named query, the median of some runs after one that warms up, and what spilled."""
    sample = Sample(ALIAS)
    queries = {name: query.build(sample) for name, query in QUERIES.items()}

    def run(name: str) -> spills.Run:
        return spills.run(ALIAS, queries[name], timeout_ms=60_000)

    warm = {name: run(name).spills for name in queries}
    taken = medians(rounds, {name: partial(lambda name: run(name).milliseconds, name) for name in queries})
    return {name: (taken[name], warm[name]) for name in queries}


def total(runs: dict[str, tuple[float, tuple[str, ...]]]) -> float:
    return sum(milliseconds for milliseconds, _ in runs.values())
