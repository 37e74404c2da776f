"""The way back builds indexes: the largest by all workers together, where the server lends as many helpers."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import pytest
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql

from pam.partitions.tables import tables
from pam.postgres import activity
from pam.postgres.online_copy import plan as online_plan
from pam.postgres.online_copy import script
from pam.postgres.online_copy.move import Move
from pam.postgres.online_copy.parallel import run
from pam.postgres.online_copy.shared_build import Turns
from pam.postgres.online_copy.step import Step
from pam.postgres.online_copy.steps import PARALLEL_SINCE
from tests.support.bulk import add_audit_rows
from tests.support.databases import session
from tests.support.threads import actor, until

# Where a function waits that a helper runs.
HELD = """
    CREATE FUNCTION held() RETURNS bool LANGUAGE plpgsql PARALLEL SAFE AS $$ BEGIN
        WHILE EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 7013) LOOP
            PERFORM pg_sleep(0.01);
        END LOOP;
        RETURN true;
    END $$
"""
NOW = datetime(2026, 8, 17, 13, 37, 11, tzinfo=UTC)
TABLES = {"audit_logs": 0, "sessions": 1}


def planned(alias: str, table: str) -> list[Step]:
    """The steps of the way back."""
    one = tables(alias)[TABLES[table]]
    return script.planned(connections[alias], Move(one.move.source, one.layout, to_months=False), NOW)


def builds(alias: str, table: str) -> list[tuple[str, int | None]]:
    """Each index that is built, in that order, and how many helpers it may have."""
    steps = [step for step in planned(alias, table) if step.name.startswith("build ")]
    return [(step.name.removeprefix("build "), step.helpers) for step in steps]


def change(alias: str, setting: str) -> None:
    """A setting of the database, for new sessions."""
    with connections[alias].cursor() as cursor:
        name = sql.Identifier(connections[alias].settings_dict["NAME"])
        cursor.execute(sql.SQL("ALTER DATABASE {} SET {}").format(name, sql.SQL(setting)))
    connections[alias].close()


@pytest.mark.parametrize(("workers", "most"), [(1, 0), (2, 1), (3, None), (9, None)])
def test_all_workers_build_the_largest_index_where_the_server_has_as_many(migrated, settings, workers, most):
    """There is memory for two processes."""
    settings.PAM_COPY_WORKERS = workers
    change(migrated, "maintenance_work_mem = '64MB'")
    (_, first), *others = builds(migrated, "sessions")
    assert first == most
    assert {helpers for _, helpers in others} == {0}


@pytest.mark.parametrize("session", [None, "SET max_parallel_maintenance_workers = 0"])
def test_three_by_memory_for_three(migrated, settings, session):
    """What the session of the plan has set is not what those of the workers will have."""
    settings.PAM_COPY_WORKERS = 3
    change(migrated, "maintenance_work_mem = '96MB'")
    if session:
        with connections[migrated].cursor() as cursor:
            cursor.execute(session)
    assert builds(migrated, "sessions")[0][1] == 2


@pytest.mark.parametrize(
    "setting",
    ["max_parallel_maintenance_workers = 0", "max_parallel_workers = 0", "maintenance_work_mem = '63MB'"],
)
def test_where_the_server_lends_none_all_are_built_side_by_side(migrated, settings, setting):
    settings.PAM_COPY_WORKERS = 2
    change(migrated, setting)
    assert builds(migrated, "sessions")[0][1] is None


def test_the_largest_index_of_the_audit_log_is_its_trigram_index(migrated, settings):
    """Until PostgreSQL 17 one process builds it, beside the others."""
    settings.PAM_COPY_WORKERS = 2
    add_audit_rows(migrated, 2_000)
    first, *others = builds(migrated, "audit_logs")
    version = connections[migrated].connection.info.server_version
    assert first == ("ix_audit_logs_search_gin", 1 if version >= 18_00_00 else None)
    assert {helpers for _, helpers in others} == {0}


@pytest.mark.parametrize(("helpers", "told"), [(None, "2"), (0, "0"), (1, "1")])
def test_a_step_lets_so_many_help(database, helpers, told):
    change(database, "max_parallel_maintenance_workers = 2")
    with connections[database].cursor() as cursor:
        cursor.execute("CREATE TABLE seen (workers text); SET max_parallel_maintenance_workers = 7")
        note = sql.SQL("INSERT INTO seen SELECT current_setting('max_parallel_maintenance_workers')")
        Step("look", (note,), sql.SQL("SELECT false"), helpers=helpers).run(connections[database])
        cursor.execute("SELECT workers FROM seen")
        assert cursor.fetchall() == [(told,)]


def test_it_is_printed(migrated, settings):
    """Above the first index, above the others, and behind them; by `pam_plan` too."""
    settings.PAM_COPY_WORKERS = 2
    table = tables(migrated)[TABLES["sessions"]]
    printed = [*script.statements(connections[migrated], table.layout, False, NOW)]
    lines = [text for text, _ in printed if "max_parallel_maintenance_workers" in text or "INDEX" in text.split()[:3]]
    settings_of = [line for line in lines if "max_parallel" in line]
    assert lines[0] == settings_of[0] == "SET max_parallel_maintenance_workers = 1"
    assert lines[2] == settings_of[1] == "SET max_parallel_maintenance_workers = 0"
    assert settings_of[2:] == ["RESET max_parallel_maintenance_workers"]
    assert len(lines) > 10
    plan = online_plan.plan(connections[migrated], table.layout, to_months=False, now=NOW)
    assert [statement for step in plan.steps for statement in step.statements] == [text for text, _ in printed]


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


def test_who_may_have_helpers_and_was_lent_none_has_nobody_beside_it(database, settings):
    """Until it is over nobody else begins, though a worker is free; the others meet."""
    settings.PAM_COPY_WORKERS = 2
    running: set[str] = set()
    changed = threading.Condition()
    together = threading.Barrier(2, timeout=20)
    met: dict[str, bool] = {}

    def alone(name: str, _: BaseDatabaseWrapper) -> None:
        with changed:
            running.add(name)
            changed.notify_all()
            met[name] = changed.wait_for(lambda: len(running) > 1, timeout=0.5)
            running.discard(name)

    def beside(name: str, _: BaseDatabaseWrapper) -> None:
        with changed:
            running.add(name)
            changed.notify_all()
        together.wait()
        met[name] = True

    run(
        connections[database],
        [
            *(lane(name, 1, partial(alone, name)) for name in ("with helpers", "with helpers too")),
            *(lane(name, 0, partial(beside, name)) for name in ("one", "other")),
        ],
    )
    assert met == {"with helpers": False, "with helpers too": False, "one": True, "other": True}


def test_others_begin_when_the_helpers_have_gone(database, settings, monkeypatch):
    """The leader of the shared one ends only when the other one is there: helped, the two would never meet."""
    settings.PAM_COPY_WORKERS = 2
    looks: list[int] = []

    helpers_of = activity.helpers

    def looked(own: BaseDatabaseWrapper, leader: int) -> int:
        looks.append(helpers_of(own, leader))
        return looks[-1]

    monkeypatch.setattr(activity, "helpers", looked)
    began, together = threading.Event(), threading.Barrier(2, timeout=20)

    def shared(own: BaseDatabaseWrapper) -> None:
        with own.cursor() as cursor:
            is_new = own.connection.info.server_version >= 16_00_00
            all_by_a_helper = "debug_parallel_query" if is_new else "force_parallel_mode"
            cursor.execute(f"SET {all_by_a_helper} = on")
            cursor.execute("SELECT held()")
            cursor.execute(f"RESET {all_by_a_helper}")
        together.wait()

    def other(_: BaseDatabaseWrapper) -> None:
        began.set()
        together.wait()

    with session(database) as holder, holder.cursor() as cursor:
        cursor.execute(HELD)
        cursor.execute("SELECT pg_advisory_lock(7013)")
        with actor(lambda: run(connections[database], [lane("shared", 1, shared), lane("other", 0, other)])):
            try:
                until(lambda: looks.count(1) > 1, "the other one sees the helper")
                assert not began.is_set()
            finally:
                cursor.execute("SELECT pg_advisory_unlock(7013)")
    assert began.is_set()
    assert looks[-1] == 0


@pytest.mark.parametrize("seen", [0, 1])
def test_behind_one_that_fails_there_is_no_room(database, monkeypatch, seen):
    """Its helpers, if they were seen, go with it."""
    own, shared = connections[database], lane("shared", 1, lambda _: None)
    turns = Turns([[shared], [lane("other", 0, lambda _: None)]])

    def fail() -> None:
        with turns.taken(own, [shared]):
            monkeypatch.setattr(activity, "helpers", lambda *_: seen)
            assert not turns.builds[0].has_room(own)
            raise RuntimeError("no index today")

    with pytest.raises(RuntimeError, match="no index today"):
        fail()
    monkeypatch.setattr(activity, "helpers", lambda *_: 0)
    assert not turns.builds[0].has_room(own)


def test_who_waits_for_his_turn_hears_that_all_shall_end(database):
    shared, other = lane("shared", 1, lambda _: None), lane("other", 0, lambda _: None)
    turns, stop = Turns([[shared], [other]]), threading.Event()
    with turns.taken(connections[database], [shared]):
        with actor(lambda: turns.may_begin(connections[database], [other], stop)) as waiting:
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.1)
            stop.set()
        assert waiting.result() is False
    assert turns.may_begin(connections[database], [other], threading.Event())


def lane(name: str, helpers: int, action: Callable[[BaseDatabaseWrapper], None]) -> Step:
    return Step(name, (), sql.SQL("SELECT false"), lane=name, helpers=helpers, action=action)
