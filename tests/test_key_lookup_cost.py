"""What a look-up by key costs over many months against one, in one run: a ratio is shown, nothing is judged by it."""

from collections.abc import Callable
from itertools import cycle

import pytest
from django.core.management import call_command
from pytest_django import DjangoDbBlocker

from pam.models import Session
from pam.postgres.months import Month
from tests.support.clients import Client
from tests.support.databases import throwaway_database
from tests.support.months import add_sessions_over, partitions, session_keys
from tests.support.turns import medians, seconds


def look_up(alias: str, months: int, rows: int) -> Callable[[], float]:
    """Fill sessions over so many months, partitioned; returns what looks one up and says in how many seconds."""
    Client(alias, "seed").step(0)
    add_sessions_over(alias, rows, months, Month(2026, 10))
    call_command("migrate", "pam", database=alias, verbosity=0)
    keys = cycle(session_keys(alias, 200))
    return lambda: seconds(lambda: Session.objects.using(alias).get(pk=next(keys)))


@pytest.mark.parametrize(("rows", "rounds"), [(500, 400), pytest.param(100_000, 20_000, marks=pytest.mark.scale)])
def test_many_months_against_one(
    phase2: str, phase2_template: str, django_db_blocker: DjangoDbBlocker, rows: int, rounds: int, capsys
):
    with throwaway_database("many_months", phase2_template) as many:
        measures = {"one": look_up(phase2, 1, rows), "many": look_up(many, 84, rows)}
        assert len(partitions(many, "sessions")) - len(partitions(phase2, "sessions")) == 83
        taken = medians(rounds, measures)
    with capsys.disabled():
        ratio = taken["many"] / taken["one"]
        print(f"\na look-up by key over 83 months more takes {ratio:.2f} times as long ({rows:,} rows, median)")
