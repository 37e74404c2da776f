"""CreateMaterializedView, the eighth act: beside writers, behind locks, and beside readers of the view."""

import pytest
from django.db import connections
from django.db.models import F, Func, Index

from pam.postgres import locks
from pam.postgres.errors import LockUnavailable
from pam.postgres.locks import Patience
from pam.postgres.operations import AddIndexConcurrently
from tests.support import toys
from tests.support.databases import session
from tests.support.indexes import index_validity
from tests.support.threads import actor, failure_of, until, writers
from tests.support.toy_report import ADD, BEFORE, FILLED, report

QUICK = Patience(lock_timeout_ms=50, attempts=2, first_pause=0.01, longest_pause=0.01)


@pytest.fixture(params=[False, True], ids=["plain", "partitioned"])
def partitioned(request: pytest.FixtureRequest, database: str) -> bool:
    """Whether the table that `database` has now is partitioned."""
    toys.make_table(database, partitioned=request.param)
    return bool(request.param)


def test_under_concurrent_writers(database, partitioned):
    """Writers go on all the while, and one who has written and not committed stops nothing."""

    def write(writer: int, number: int) -> None:
        with connections[database].cursor() as cursor:
            cursor.execute("UPDATE toys SET name = 'toy again' WHERE id = %s", [writer * 100 + number % 100])

    with session(database) as other, other.cursor() as cursor:
        cursor.execute("BEGIN; INSERT INTO toys VALUES (5000, 'toy open', true, '2026-02-03 13:37:11+00')")
        with writers(3, write):
            toys.forwards(database, ADD, BEFORE)
            assert report(database) == FILLED
            toys.backwards(database, ADD, BEFORE)
        cursor.execute("COMMIT")
    assert report(database) is None


def test_who_holds_the_table_is_named_and_nobody_queues_for_long(database, partitioned, monkeypatch):
    monkeypatch.setattr(locks, "CALM", QUICK)
    with session(database) as other, other.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE toys IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(LockUnavailable, match="ACCESS SHARE") as refusal:
            toys.forwards(database, ADD, BEFORE)
        assert [holder.pid for holder in refusal.value.holders] == [other.info.backend_pid]
    toys.forwards(database, ADD, BEFORE)
    assert report(database) == FILLED


def test_the_way_back_makes_no_reader_queue(database, partitioned, brief):
    """A report is read in a transaction that does not end; who comes later is served while the drop tries."""
    toys.forwards(database, ADD, BEFORE)
    served = 0
    with session(database) as reading, reading.cursor() as cursor, session(database) as later, later.cursor() as reader:
        cursor.execute("BEGIN; SELECT * FROM report_toys")
        reader.execute("SET statement_timeout = '2s'")
        with actor(lambda: toys.backwards(database, ADD, BEFORE)) as drop:
            while not drop.done():
                reader.execute("SELECT * FROM report_toys")
                served += 1
            error = failure_of(drop)
        assert isinstance(error, LockUnavailable)
        assert reading.info.backend_pid in [holder.pid for holder in error.holders]
    assert served > 0
    assert report(database) == FILLED


def test_an_index_is_built_beside_readers_and_behind_a_refresh(database):
    """Who reads the view does not wait for the build, whatever it reads as of; a refresh does."""
    toys.make_table(database)
    toys.forwards(database, ADD, BEFORE)
    after = BEFORE.clone()
    ADD.state_forwards(toys.APP, after)
    add = AddIndexConcurrently("ToyReport", Index(Func(F("number"), function="public.slow"), name="ix_report_toys"))
    with session(database) as other, other.cursor() as cursor, session(database) as old, old.cursor() as reader:
        cursor.execute(
            "CREATE FUNCTION slow(bigint) RETURNS bigint IMMUTABLE LANGUAGE plpgsql"
            " AS 'BEGIN PERFORM pg_catalog.pg_advisory_xact_lock_shared(4711); RETURN $1; END';"
            " SELECT pg_advisory_lock(4711)"
        )
        reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT count(*) FROM report_toys")

        def waits(kind: str) -> bool:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = %s AND NOT granted", [kind])
            return bool(cursor.fetchone() == (1,))

        def refresh() -> None:
            with connections[database].cursor() as refreshing:
                refreshing.execute("REFRESH MATERIALIZED VIEW CONCURRENTLY report_toys")

        with actor(lambda: toys.forwards(database, add, after)) as build:
            until(lambda: waits("advisory"), "the build is under way")
            with actor(refresh):
                until(lambda: waits("relation"), "the refresh waits for the build")
                reader.execute("SET lock_timeout = 100")
                reader.execute("SELECT count(*) FROM report_toys")
                cursor.execute("SELECT pg_advisory_unlock(4711)")
            until(build.done, "the build waits for no older transaction")
    assert index_validity(database, "ix_report_toys%") == {"ix_report_toys": True}
    assert report(database) == FILLED
