"""b. Phase 3 against its floor: the same end state, made offline."""

import statistics
from datetime import UTC, datetime, timedelta

from pam.postgres.months import Month
from tests.benchmarks.results import Figure, Row
from tests.benchmarks.scale import PHASE1, PHASE2, Scale, Told, migrate, settle
from tests.support.bulk import add_audit_rows
from tests.support.clients import Client, busy
from tests.support.floor import at_rest, floor
from tests.support.manage import migration_seconds
from tests.support.months import BEGIN, add_sessions
from tests.support.servers import ALIAS, ROOMY, server_under_alias

# The rows end in October 2026.
END, MONTHS = datetime(2026, 10, 4, 13, 37, 11, tzinfo=UTC), 24
# How many clients, and for how many seconds each rests after a step of some forty statements.
LOADS = {"nobody else": (0, 0.0), "8 clients at 2 steps a second": (8, 0.5)}


def measure(scale: Scale, told: Told) -> Figure:
    """Seconds of `manage.py migrate`, its start included; between the conversions the floor, again and again."""
    months = scale.months(MONTHS)
    with server_under_alias(ROOMY) as cluster:
        told("rows are made")
        begin = Month.of(END).plus(1 - months).start + timedelta(days=2)
        days = (END - begin).days
        migrate(ALIAS, PHASE1)
        Client(ALIAS, "seed").step(0)
        add_audit_rows(ALIAS, scale.rows, days, begin.isoformat())
        add_sessions(ALIAS, scale.sessions, days, begin.isoformat())
        migrate(ALIAS, PHASE2)
        settle(ALIAS)
        told("floor")
        floors, taken = [_floor()], {}
        for load, (count, pause) in LOADS.items():
            with busy(ALIAS, count, pause, load):
                told(f"{load}: there")
                at_rest(ALIAS)
                there = migration_seconds(cluster, "pam")
                told(f"{load}: back")
                at_rest(ALIAS)
                taken[load] = {"there": there, "back": migration_seconds(cluster, "pam", BEGIN)}
            told("floor")
            floors.append(_floor())
    base = statistics.median(floors)
    return Figure(
        f"Phase 3: conversion of {scale.rows:,} audit events and {scale.sessions:,} sessions in {months} months, time",
        "its floor: sorted copies with the same indexes, foreign keys and statistics, made by one session, nobody else",
        f"(each way once; the floor before, between and after: median of {len(floors)})",
        [
            Row(load, {way: seconds / base for way, seconds in ways.items()}, {"s": base})
            for load, ways in taken.items()
        ],
    )


def _floor() -> float:
    base = floor(ALIAS)
    return base.seconds - base.constraints
