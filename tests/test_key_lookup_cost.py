"""What a look-up by key costs over many months against few, in one run: a ratio is shown, nothing is judged by it."""

import statistics
import time
from uuid import UUID

import pytest
from django.core.management import call_command
from pytest_django import DjangoDbBlocker

from pam.models import Session
from tests.support.clients import Client
from tests.support.databases import throwaway_database
from tests.support.months import add_sessions, partitions


def full(alias: str, months: int, rows: int) -> list[UUID]:
    """Sessions over so many months, partitioned; returns their keys."""
    Client(alias, "seed").step(0)
    add_sessions(alias, rows, max(1, months * 30 - 25), f"{2026 - months // 12}-11-02 13:37:11+00")
    call_command("migrate", "pam", database=alias, verbosity=0)
    return list(Session.objects.using(alias).values_list("pk", flat=True)[:200])


def seconds(alias: str, key: UUID) -> float:
    began = time.perf_counter()
    Session.objects.using(alias).get(pk=key)
    return time.perf_counter() - began


@pytest.mark.parametrize(("rows", "rounds"), [(500, 2), pytest.param(100_000, 100, marks=pytest.mark.scale)])
def test_many_months_against_one(
    phase2: str, phase2_template: str, django_db_blocker: DjangoDbBlocker, rows: int, rounds: int, capsys
):
    with throwaway_database("many_months", phase2_template) as many:
        keys = {phase2: full(phase2, 1, rows), many: full(many, 84, rows)}
        assert len(partitions(many, "sessions")) - len(partitions(phase2, "sessions")) == 84
        taken: dict[str, list[float]] = {phase2: [], many: []}
        for _ in range(rounds):
            # In turns, so that what else the machine does meets both alike.
            for pair in zip(keys[phase2], keys[many], strict=True):
                for alias, key in zip(keys, pair, strict=True):
                    taken[alias].append(seconds(alias, key))
    ratio = statistics.median(taken[many]) / statistics.median(taken[phase2])
    with capsys.disabled():
        print(f"\na look-up by key over 84 months more takes {ratio:.2f} times as long ({rows:,} rows, median)")
