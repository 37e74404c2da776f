"""AddUniqueConstraintConcurrently in eight acts."""

import pytest
from django.db import IntegrityError, NotSupportedError, connections, models
from django.test.utils import CaptureQueriesContext, override_settings

from pam.postgres.errors import DuplicateRows, NameTaken
from pam.postgres.operations import AddUniqueConstraintConcurrently
from tests.support import toys
from tests.support.indexes import index_oid, index_validity, invalidate
from tests.support.routers import Forbid
from tests.support.threads import writers

UNIQUE = models.UniqueConstraint(fields=["name"], name="uq_toys_name", condition=models.Q(is_active=True))
ADD = AddUniqueConstraintConcurrently("Toy", UNIQUE)


# 1. Describe, 2. State forwards, 5. Deconstruct


def test_describe_state_and_deconstruct():
    assert ADD.describe() == "Concurrently create unique constraint uq_toys_name on model Toy"
    assert ADD.migration_name_fragment == "toy_uq_toys_name"
    assert ADD.category.value == "+"
    state = toys.state()
    ADD.state_forwards(toys.APP, state)
    assert state.models["pam", "toy"].options["constraints"] == [UNIQUE]
    assert ADD.deconstruct() == (
        "AddUniqueConstraintConcurrently",
        [],
        {"model_name": "Toy", "constraint": UNIQUE},
    )


@pytest.mark.parametrize("constraint", [
    models.UniqueConstraint(fields=["name"], name="uq_toys_name"),
    models.CheckConstraint(condition=models.Q(id__gt=0), name="ck_toys_id"),
])  # fmt: skip
def test_takes_only_what_is_an_index_in_the_database(constraint):
    with pytest.raises(NotSupportedError, match="with a condition"):
        AddUniqueConstraintConcurrently("Toy", constraint)


# 3. Database forwards, 4. backwards


def test_forwards_holds_and_backwards_lets_go(database):
    toys.make_table(database)
    toys.forwards(database, ADD, toys.state())
    with connections[database].cursor() as cursor:
        with pytest.raises(IntegrityError, match="uq_toys_name"):
            cursor.execute("INSERT INTO toys SELECT * FROM toys WHERE is_active LIMIT 1")
        cursor.execute("INSERT INTO toys SELECT * FROM toys WHERE NOT is_active LIMIT 1")
        toys.backwards(database, ADD, toys.state())
        assert index_validity(database, "uq_toys%") == {}
        cursor.execute("INSERT INTO toys SELECT * FROM toys WHERE is_active LIMIT 1")


def test_rows_that_break_it_are_named_and_nothing_is_left(database):
    toys.make_table(database)
    with connections[database].cursor() as cursor:
        cursor.execute("INSERT INTO toys SELECT * FROM toys WHERE name = 'toy 1'")
    with pytest.raises(DuplicateRows, match=r"Key \(name\)=\(toy 1\) is duplicated") as caught:
        toys.forwards(database, ADD, toys.state())
    assert "python manage.py migrate" in str(caught.value)
    assert index_validity(database, "uq_toys%") == {}
    with connections[database].cursor() as cursor:
        cursor.execute("UPDATE toys SET is_active = false WHERE name = 'toy 1'")
    toys.forwards(database, ADD, toys.state())
    assert index_validity(database, "uq_toys%") == {"uq_toys_name": True}


# 6. The SQL in order


def test_sqlmigrate_prints_it_with_its_lock(database):
    with CaptureQueriesContext(connections[database]) as executed:
        printed = toys.collected(database, ADD, toys.state())
    assert executed.captured_queries == []
    assert 'CREATE UNIQUE INDEX CONCURRENTLY "uq_toys_name" ON "toys" ("name") WHERE "is_active";' in printed
    assert any('Lock: SHARE UPDATE EXCLUSIVE on "toys"' in line for line in printed)
    back = toys.collected(database, ADD, toys.state(), back=True)
    assert 'DROP INDEX CONCURRENTLY IF EXISTS "uq_toys_name";' in back


@override_settings(DATABASE_ROUTERS=[Forbid()])
def test_a_router_that_forbids_is_asked_first(database):
    with CaptureQueriesContext(connections[database]) as executed:
        toys.forwards(database, ADD, toys.state())
        toys.backwards(database, ADD, toys.state())
    assert executed.captured_queries == []


# 7. Interrupted and run again


def test_run_again(database):
    toys.make_table(database)
    toys.forwards(database, ADD, toys.state())
    oid = index_oid(database, "uq_toys_name")
    toys.forwards(database, ADD, toys.state())
    assert index_oid(database, "uq_toys_name") == oid
    invalidate(database, "uq_toys_name")
    toys.forwards(database, ADD, toys.state())
    assert index_oid(database, "uq_toys_name") != oid
    assert index_validity(database, "uq_toys%") == {"uq_toys_name": True}


def test_an_index_that_is_not_unique_stops_it(database):
    toys.make_table(database)
    with connections[database].cursor() as cursor:
        cursor.execute("CREATE INDEX uq_toys_name ON toys (name) WHERE is_active")
    with pytest.raises(NameTaken, match="CREATE UNIQUE INDEX"):
        toys.forwards(database, ADD, toys.state())


# 8. Under concurrent writers


def test_under_concurrent_writers(database):
    """Each writer ends its row before it makes the next, as the application does with an assignment."""
    toys.make_table(database)

    def step(writer: int, number: int) -> None:
        with connections[database].cursor() as cursor:
            cursor.execute("UPDATE toys SET is_active = false WHERE name = %s AND is_active", [f"of {writer}"])
            cursor.execute("INSERT INTO toys VALUES (%s, %s, true, '2026-02-10')", [10_000 + number, f"of {writer}"])

    with writers(4, step) as steps:
        for _ in range(3):
            toys.forwards(database, ADD, toys.state())
            toys.backwards(database, ADD, toys.state())
        toys.forwards(database, ADD, toys.state())
    assert index_validity(database, "uq_toys%") == {"uq_toys_name": True}
    with connections[database].cursor() as cursor:
        cursor.execute("SELECT count(*), count(*) FILTER (WHERE is_active) FROM toys WHERE name LIKE 'of %%'", [])
        assert cursor.fetchone() == (sum(steps), 4)
