"""LockBeforeDrop by itself; what it does for those who read meanwhile is in test_way_back."""

import pytest
from django.db import connections, transaction
from django.test.utils import CaptureQueriesContext, override_settings

from pam.postgres.operations import LockBeforeDrop
from tests.support import toys
from tests.support.routers import Forbid

LOCK = LockBeforeDrop(["Toy"])


def test_describe_state_and_deconstruct():
    assert LOCK.describe() == "On the way back, lock 1 tables before they are dropped"
    state = toys.state()
    LOCK.state_forwards(toys.APP, state)
    assert state == toys.state()
    assert LOCK.deconstruct() == ("LockBeforeDrop", [], {"model_names": ["Toy"]})


@pytest.mark.parametrize("partitioned", [False, True])
def test_backwards_holds_the_lock_until_the_end(database, partitioned):
    toys.make_table(database, partitioned=partitioned)
    with connections[database].cursor() as cursor:
        with transaction.atomic(using=database):
            toys.backwards(database, LOCK, toys.state())
            assert held(cursor) == (4 if partitioned else 1)
        assert held(cursor) == 0
        toys.forwards(database, LOCK, toys.state())
        assert held(cursor) == 0


def held(cursor) -> int:
    cursor.execute(
        "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation::regclass::text ~ 'toys'"
    )
    return int(cursor.fetchone()[0])


def test_a_table_that_is_gone_already_is_left_out(database):
    toys.backwards(database, LOCK, toys.state())


def test_sqlmigrate_prints_it_with_its_lock(database):
    with CaptureQueriesContext(connections[database]) as executed:
        printed = toys.collected(database, LOCK, toys.state(), back=True)
        assert toys.collected(database, LOCK, toys.state()) == []
    assert executed.captured_queries == []
    assert printed[0].startswith("-- Lock: ACCESS EXCLUSIVE on each")
    assert printed[-1] == 'LOCK TABLE "toys" IN ACCESS EXCLUSIVE MODE;'


@override_settings(DATABASE_ROUTERS=[Forbid()])
def test_a_router_that_forbids_is_asked_first(database):
    with CaptureQueriesContext(connections[database]) as executed:
        toys.backwards(database, LOCK, toys.state())
    assert executed.captured_queries == []
