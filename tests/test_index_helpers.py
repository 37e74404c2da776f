"""The way back builds indexes: no more processes at once than PAM_COPY_WORKERS, the server's helpers among them."""

import threading
from datetime import UTC, datetime

import pytest
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql

from pam.partitions.tables import tables
from pam.postgres.online_copy import script
from pam.postgres.online_copy.move import Move
from pam.postgres.online_copy.parallel import run
from pam.postgres.online_copy.step import Step
from pam.postgres.online_copy.steps import PARALLEL_SINCE

NOW = datetime(2026, 8, 17, 13, 37, 11, tzinfo=UTC)
AUDIT_LOGS, SESSIONS = 0, 1


def helpers(alias: str, table_number: int) -> list[int]:
    """How many helpers each index may have on the way back, in the order in which they are built."""
    table = tables(alias)[table_number]
    planned = script.planned(connections[alias], Move(table.move.source, table.layout, to_months=False), NOW)
    return [step.helpers for step in planned if step.helpers is not None]


@pytest.mark.parametrize(("workers", "most"), [(1, 0), (2, 1), (9, 2)])
def test_the_largest_index_has_all_workers_and_the_others_have_none(migrated, settings, workers, most):
    """By default the server has two for a session."""
    settings.PAM_COPY_WORKERS = workers
    first, *others = helpers(migrated, SESSIONS)
    assert first == most
    assert set(others) == {0}


def test_the_servers_own_limit_is_kept(migrated):
    with connections[migrated].cursor() as cursor:
        name = sql.Identifier(connections[migrated].settings_dict["NAME"])
        cursor.execute(sql.SQL("ALTER DATABASE {} SET max_parallel_maintenance_workers = 0").format(name))
    connections[migrated].close()
    assert set(helpers(migrated, SESSIONS)) == {0}


@pytest.mark.parametrize("method", ["btree", "brin", "gin", "hash"])
def test_which_indexes_the_server_builds_by_several(database, method):
    """As the server itself says while it builds one."""
    with connections[database].cursor() as cursor:
        cursor.execute("CREATE TABLE words AS SELECT ARRAY['one', 'two'] AS many, 'one'::text AS one")
        cursor.execute("SET min_parallel_table_scan_size = 0; SET max_parallel_maintenance_workers = 1")
        cursor.execute("SET client_min_messages = debug1")
        cursor.execute(f"CREATE INDEX ON words USING {method} ({'many' if method == 'gin' else 'one'})")
        connection = connections[database].connection
    is_parallel = any("with request for 1 parallel worker" in notice for notice in connection.notices)
    assert is_parallel or any(" serially" in notice for notice in connection.notices)
    since = PARALLEL_SINCE.get(method)
    assert is_parallel == (since is not None and connection.info.server_version >= since)


def test_who_has_helpers_has_nobody_beside_it(database):
    """While it is at work nobody else begins, though a worker is free; the others meet."""
    begun = threading.Event()
    together = threading.Barrier(2, timeout=20)
    seen: list[bool] = []

    def alone(_: BaseDatabaseWrapper) -> None:
        seen.append(begun.wait(timeout=0.5))

    def beside(_: BaseDatabaseWrapper) -> None:
        begun.set()
        together.wait()

    never = sql.SQL("SELECT false")
    run(
        connections[database],
        [
            Step("with helpers", (), never, lane="with helpers", helpers=1, action=alone),
            *(Step(name, (), never, lane=name, helpers=0, action=beside) for name in ("one", "other")),
        ],
    )
    assert seen == [False]
    assert begun.is_set()
