"""b. Phase 3 against its floor: the same end state, made offline."""

import statistics
import time
from datetime import UTC, datetime, timedelta

from pam.postgres.months import Month
from tests.benchmarks.results import Figure, Row
from tests.benchmarks.scale import PHASE1, PHASE2, Scale, Told, migrate, settle
from tests.support.bulk import add_audit_rows
from tests.support.clients import Client
from tests.support.floor import at_rest, floor
from tests.support.load import load
from tests.support.manage import migration_seconds
from tests.support.months import BEGIN, CONVERTED, add_sessions
from tests.support.servers import ALIAS, ROOMY, server_under_alias

# The rows end in October 2026.
END, MONTHS = datetime(2026, 10, 4, 13, 37, 11, tzinfo=UTC), 24
# How many clients, and how many steps of 19 statements they are to make in a second altogether.
LOADS = {"nobody else": (0, None), "8 clients": (8, 16)}


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
        floors, taken = [floor(ALIAS).seconds], {}
        for name, (clients, rate) in LOADS.items():
            with load(cluster, ALIAS, clients, rate) as steps:
                before, began = steps(), time.monotonic()
                told(f"{name}: there")
                at_rest(ALIAS)
                there = migration_seconds(cluster, "pam", CONVERTED)
                told(f"{name}: back")
                at_rest(ALIAS)
                back = migration_seconds(cluster, "pam", BEGIN)
                pace = (steps() - before) / (time.monotonic() - began)
            taken[f"{name}, {pace:.0f} steps a second" if clients else name] = {"there": there, "back": back}
            told("floor")
            floors.append(floor(ALIAS).seconds)
    base = statistics.median(floors)
    return Figure(
        f"Phase 3: conversion of {scale.rows:,} audit events and {scale.sessions:,} sessions in {months} months, time",
        "its floor: sorted copies with the same constraints, indexes and statistics, made by one session, nobody else",
        f"(each way once; the floor before, between and after: median of {len(floors)})",
        [
            Row(name, {way: seconds / base for way, seconds in ways.items()}, {"s": base})
            for name, ways in taken.items()
        ],
    )
