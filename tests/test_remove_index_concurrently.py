"""RemoveIndexConcurrently in eight acts."""

import pytest
from django.db import NotSupportedError, connections
from django.db.migrations.operations.base import OperationCategory
from django.test.utils import CaptureQueriesContext, override_settings

from pam.postgres.errors import BuildFailed, NameTaken
from pam.postgres.operations import RemoveIndexConcurrently
from tests.support import toys
from tests.support.databases import session
from tests.support.indexes import index_validity, invalidate
from tests.support.routers import Forbid
from tests.support.threads import actor, failure_of, until, writers

REMOVE = RemoveIndexConcurrently("Toy", toys.INDEX.name)
BEFORE = toys.state(indexes=(toys.INDEX,))


@pytest.fixture(params=[False, True], ids=["plain", "partitioned"])
def indexed(request: pytest.FixtureRequest, database: str) -> str:
    """The alias of a database whose table has the index, as phase 2 leaves it."""
    toys.make_table(database, partitioned=request.param)
    toys.backwards(database, REMOVE, BEFORE)
    return database


# 1. Describe, 2. State forwards, 5. Deconstruct


def test_describe_state_and_deconstruct():
    assert REMOVE.describe() == "Concurrently remove index ix_toys_name_partial from Toy"
    assert REMOVE.migration_name_fragment == "remove_toy_ix_toys_name_partial"
    assert REMOVE.category is OperationCategory.REMOVAL
    state = BEFORE.clone()
    REMOVE.state_forwards(toys.APP, state)
    assert state.models["pam", "toy"].options["indexes"] == []
    assert REMOVE.deconstruct() == (
        "RemoveIndexConcurrently",
        [],
        {"model_name": "Toy", "name": "ix_toys_name_partial"},
    )


# 3. Database forwards, 4. backwards


def test_forwards_removes_and_backwards_brings_back(indexed):
    there = index_validity(indexed, "ix_toys%")
    assert there
    assert all(there.values())
    toys.forwards(indexed, REMOVE, BEFORE)
    assert index_validity(indexed, "ix_toys%") == {}
    toys.backwards(indexed, REMOVE, BEFORE)
    assert index_validity(indexed, "ix_toys%") == there


def test_an_index_of_another_definition_stays(database):
    toys.make_table(database)
    with connections[database].cursor() as cursor:
        cursor.execute("CREATE INDEX ix_toys_name_partial ON toys (made_at)")
    with pytest.raises(NameTaken, match="made_at"):
        toys.forwards(database, REMOVE, BEFORE)
    assert index_validity(database, "ix_toys%") == {"ix_toys_name_partial": True}


# 6. The SQL in order


def test_sqlmigrate_prints_the_drop_with_its_lock(database):
    with CaptureQueriesContext(connections[database]) as executed:
        printed = toys.collected(database, REMOVE, BEFORE)
    assert executed.captured_queries == []
    assert [line for line in printed if not line.startswith("--")] == [
        "SET lock_timeout = 3600000;",
        "SET statement_timeout = 0;",
        'DROP INDEX CONCURRENTLY IF EXISTS "ix_toys_name_partial";',
        "RESET lock_timeout;",
        "RESET statement_timeout;",
    ]
    assert any('Lock: SHARE UPDATE EXCLUSIVE on "toys"' in line for line in printed)
    back = toys.collected(database, REMOVE, BEFORE, back=True)
    assert 'CREATE INDEX CONCURRENTLY "ix_toys_name_partial" ON "toys" ("name") WHERE "is_active";' in back


@override_settings(DATABASE_ROUTERS=[Forbid()])
def test_a_router_that_forbids_is_asked_first(database):
    with CaptureQueriesContext(connections[database]) as executed:
        toys.forwards(database, REMOVE, BEFORE)
        toys.backwards(database, REMOVE, BEFORE)
    assert executed.captured_queries == []


def test_refuses_to_run_inside_a_transaction(database):
    with (
        connections[database].schema_editor(atomic=True) as editor,
        pytest.raises(NotSupportedError, match="atomic = False"),
    ):
        REMOVE.database_forwards(toys.APP, editor, BEFORE, toys.state())


# 7. Interrupted and run again


def test_it_is_gone_already(indexed):
    toys.forwards(indexed, REMOVE, BEFORE)
    toys.forwards(indexed, REMOVE, BEFORE)
    assert index_validity(indexed, "ix_toys%") == {}


def test_an_invalid_one_goes_too(database):
    toys.make_table(database)
    toys.backwards(database, REMOVE, BEFORE)
    invalidate(database, "ix_toys_name_partial")
    toys.forwards(database, REMOVE, BEFORE)
    assert index_validity(database, "ix_toys%") == {}


def test_ended_while_it_waits_for_a_reader(database):
    """The drop has marked the index INVALID and waits for an older reader; ended there, it is simply run again."""
    toys.make_table(database)
    toys.backwards(database, REMOVE, BEFORE)
    with session(database) as reader, reader.cursor() as report, connections[database].cursor() as watch:
        report.execute("BEGIN; SELECT count(*) FROM toys")
        with actor(lambda: toys.forwards(database, REMOVE, BEFORE)) as drop:

            def dropper() -> int | None:
                watch.execute(
                    "SELECT pid FROM pg_stat_activity WHERE query LIKE 'DROP INDEX CONCURRENTLY%%'"
                    " AND wait_event_type = 'Lock'"
                )
                row = watch.fetchone()
                return row[0] if row else None

            watch.execute("SELECT pg_cancel_backend(%s)", [until(dropper, "the drop waits for the reader")])
            error = failure_of(drop)
        report.execute("COMMIT")
    assert isinstance(error, BuildFailed)
    assert index_validity(database, "ix_toys%") == {"ix_toys_name_partial": False}
    toys.forwards(database, REMOVE, BEFORE)
    assert index_validity(database, "ix_toys%") == {}


# 8. Under concurrent writers


def test_under_concurrent_writers(indexed):
    def step(writer: int, number: int) -> None:
        with connections[indexed].cursor() as cursor:
            key = 10_000 + writer * 100_000 + number
            cursor.execute("INSERT INTO toys VALUES (%s, 'new', true, '2026-02-10')", [key])
            cursor.execute("UPDATE toys SET name = name || '!' WHERE id = %s", [key])

    with writers(4, step) as steps:
        for _ in range(3):
            toys.forwards(indexed, REMOVE, BEFORE)
            toys.backwards(indexed, REMOVE, BEFORE)
    with connections[indexed].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM toys WHERE name = 'new!'")
        assert cursor.fetchone()[0] == sum(steps)
