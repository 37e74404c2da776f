"""Phase 3 under load against the same end state made offline, in one run: a ratio is shown, nothing is judged by it."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.core.management import call_command
from django.db import connections
from pytest_django import DjangoDbBlocker

from tests.support.bulk import add_audit_rows
from tests.support.clients import Client
from tests.support.cluster import Cluster
from tests.support.manage import run
from tests.support.months import add_sessions, partitions
from tests.support.servers import ALIAS, server_under_alias
from tests.support.threads import writers

BEGIN = "0010_phase3_begin"
# 24 months.
OLDEST, DAYS = "2024-11-03 13:37:11+00", 700


@pytest.fixture
def cluster(django_db_blocker: DjangoDbBlocker) -> Iterator[Cluster]:
    options = {"max_wal_size": "8GB", "shared_buffers": "1GB", "maintenance_work_mem": "256MB"}
    with django_db_blocker.unblock(), server_under_alias(options) as server:
        yield server


def floor(table: str, time_column: str) -> float:
    """Seconds for a sorted copy with the same indexes, foreign keys and statistics: one session, nobody else."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE tablename = %s", [table])
        indexes = [
            re.sub(r"INDEX (\S+) ON \S+", rf"INDEX \1_floor ON {table}_floor", definition, count=1)
            for (definition,) in cursor.fetchall()
        ]
        began = time.perf_counter()
        cursor.execute(f'CREATE TABLE {table}_floor AS SELECT * FROM {table} ORDER BY "{time_column}"')
        for statement in indexes:
            cursor.execute(statement)
        if table == "sessions":
            cursor.execute("ALTER TABLE sessions_floor ADD FOREIGN KEY (user_id) REFERENCES privileged_users")
        cursor.execute(f"VACUUM (ANALYZE) {table}_floor")
        seconds = time.perf_counter() - began
        cursor.execute(f"DROP TABLE {table}_floor")
    return seconds


@pytest.mark.parametrize(
    ("audit_rows", "session_rows", "loads"),
    [
        (3_000, 1_000, {"2 clients": (2, 0.0)}),
        pytest.param(
            2_000_000,
            500_000,
            {"nobody else": (0, 0.0), "8 clients at 2 steps a second": (8, 0.5), "8 clients without a pause": (8, 0.0)},
            marks=pytest.mark.scale,
        ),
    ],
)
def test_against_the_floor(cluster, audit_rows, session_rows, loads, capsys):
    """A step of a client is some forty statements; without a pause eight of them keep two processors busy."""
    call_command("migrate", database=ALIAS, verbosity=0)
    call_command("migrate", "pam", BEGIN, database=ALIAS, verbosity=0)
    Client(ALIAS, "seed").step(0)
    add_audit_rows(ALIAS, audit_rows, DAYS, OLDEST)
    add_sessions(ALIAS, session_rows, DAYS, OLDEST)
    offline = floor("audit_logs", "timestamp") + floor("sessions", "created_at")
    told = [f"\n{audit_rows:,} audit rows, {session_rows:,} sessions; of the floor's speed ({offline:.0f} s):"]
    for load, (count, pause) in loads.items():
        with busy(count, pause, load) as steps:
            there = elapsed(cluster, "pam")
            assert partitions(ALIAS, "sessions") != {}
            back = elapsed(cluster, "pam", BEGIN)
            assert partitions(ALIAS, "sessions") == {}
        told.append(f"{load}: {offline / there:.2f} there, {offline / back:.2f} back ({sum(steps):,} steps)")
    with capsys.disabled():
        print("\n  ".join(told))


@contextmanager
def busy(count: int, pause: float, load: str) -> Iterator[list[int]]:
    """So many clients, each of which rests so many seconds after each step."""
    if not count:
        yield []
        return
    clients = [Client(ALIAS, f"{load}-{number}") for number in range(count)]

    def step(writer: int, number: int) -> None:
        clients[writer].step(number)
        threading.Event().wait(pause)

    with writers(count, step) as steps:
        yield steps


def elapsed(cluster: Cluster, *target: str) -> float:
    """Seconds for `manage.py migrate`, its start included: a process of its own, as it is at its user's."""
    began = time.perf_counter()
    run(cluster, "migrate", "-v0", *target)
    return time.perf_counter() - began
