"""A month goes: it is detached, stays as it is, and is dropped only by name."""

import pytest
from django.db import Error, connections

from pam.postgres import catalog
from pam.postgres.catalog import Relation
from pam.postgres.errors import LockUnavailable
from pam.postgres.monthly_catalog import months_of
from pam.postgres.monthly_retired import NotOurs, StillUsed, drop_detached, retire_month
from pam.postgres.months import Month
from tests.support import monthly as toy
from tests.support.databases import session


def named(alias: str, name: str) -> Relation | None:
    return catalog.relation(connections[alias], name)


def january(alias: str) -> Relation:
    found = named(alias, "notes_2026_01")
    assert found is not None
    return found


@pytest.mark.parametrize("default", [True, False])
@pytest.mark.parametrize("guarded", [True, False])
def test_a_detached_month_keeps_rows_and_guard(database, default, guarded):
    move, connection = toy.make(database, default=default, guarded=guarded), connections[database]
    toy.add(database, move, 1, toy.NOW)
    retire_month(connection, move, january(database), toy.NOW)
    assert Month(2026, 1) not in [one.month for one in months_of(connection, move.source)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), obj_description('notes_2026_01'::regclass) FROM notes_2026_01")
        assert cursor.fetchone() == (1, "detached from public.notes on 2026-01-30T13:37:11+00:00")
        for statement in ("DELETE FROM notes_2026_01", "TRUNCATE notes_2026_01") if guarded else ():
            cursor.execute("SET session_replication_role = replica")
            with pytest.raises(Error, match="is refused"):
                cursor.execute(statement)
    with pytest.raises(NotOurs):
        retire_month(connection, move, january(database), toy.NOW)


def test_only_months_of_ours_are_detached(database):
    move, connection = toy.make(database), connections[database]
    with connection.cursor() as cursor:
        cursor.execute("COMMENT ON TABLE notes_2026_01 IS 'of somebody'")
    for name in ("notes_2026_01", "notes_default", "people"):
        found = named(database, name)
        assert found is not None
        with pytest.raises(NotOurs, match="pam_partitions status"):
            retire_month(connection, move, found, toy.NOW)


def test_a_detachment_that_was_begun_is_ended(database, monkeypatch):
    move, connection = toy.make(database, default=False, guarded=False), connections[database]
    with session(database) as reader, reader.cursor() as reading, session(database) as killed:
        reading.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM notes")
        with killed.cursor() as cursor:
            cursor.execute("SET lock_timeout = '200ms'")
            with pytest.raises(Exception, match="lock timeout"):
                cursor.execute("ALTER TABLE notes DETACH PARTITION notes_2026_01 CONCURRENTLY")
        assert [one.state for one in months_of(connection, move.source)] == ["detach pending"]
        reading.execute("ROLLBACK")
    retire_month(connection, move, january(database), toy.NOW)
    assert months_of(connection, move.source) == []


def test_a_reader_of_the_referenced_table_does_not_stop_it_and_one_of_the_table_is_named(database, brief):
    move, connection = toy.make(database), connections[database]
    with session(database) as reader, reader.cursor() as reading:
        reading.execute("BEGIN; SELECT * FROM notes")
        with pytest.raises(LockUnavailable) as error:
            retire_month(connection, move, january(database), toy.NOW)
        assert reader.info.backend_pid in [holder.pid for holder in error.value.holders]
        reading.execute("ROLLBACK; BEGIN; SELECT * FROM people")
        retire_month(connection, move, january(database), toy.NOW)


def test_only_what_we_detached_is_dropped(database):
    move, connection = toy.make(database), connections[database]
    for name in ("notes_2026_01", "people", "notes", "nothing"):
        with pytest.raises(NotOurs):
            drop_detached(connection, move.source, name)
    retire_month(connection, move, january(database), toy.NOW)
    drop_detached(connection, move.source, "notes_2026_01")
    assert named(database, "notes_2026_01") is None


def test_a_drop_names_who_reads_the_referenced_table(database, brief):
    move, connection = toy.make(database), connections[database]
    retire_month(connection, move, january(database), toy.NOW)
    with session(database) as reader, reader.cursor() as reading:
        reading.execute("BEGIN; SELECT * FROM people")
        with pytest.raises(LockUnavailable) as error:
            drop_detached(connection, move.source, "notes_2026_01")
        assert reader.info.backend_pid in [holder.pid for holder in error.value.holders]
    assert named(database, "notes_2026_01") is not None


def test_a_drop_takes_nothing_of_others_along(database):
    move, connection = toy.make(database), connections[database]
    retire_month(connection, move, january(database), toy.NOW)
    with connection.cursor() as cursor:
        cursor.execute("CREATE VIEW report AS SELECT * FROM notes_2026_01")
    with pytest.raises(StillUsed, match=r"report[\s\S]*pam_partitions drop"):
        drop_detached(connection, move.source, "notes_2026_01")
