"""Sizes as the server has them: partitions with their table, and nothing of anybody else's."""

from typing import Any

import pytest
from django.db import connections
from psycopg2 import sql

from pam.models import PHASE_1
from pam.monitoring.size_history import measure
from pam.postgres import catalog, locks
from pam.postgres.errors import LockUnavailable
from pam.postgres.locks import Patience
from pam.postgres.months import Month
from pam.postgres.online_copy.move import Move
from pam.postgres.sizes import Size, sizes, table_size
from tests.support import monthly
from tests.support.databases import database_name, session
from tests.support.threads import actor, until

# With TOAST, in each month that has rows: what does not fit into a page even when it is compressed.
LARGE_NOTES = """
INSERT INTO {} SELECT n, %s, 1, (SELECT string_agg(md5(n::text || part), '') FROM generate_series(1, 400) part)
FROM generate_series(%s, %s) n
"""


def rows(alias: str, statement: str, *parameters: str) -> list[tuple[Any, ...]]:
    with connections[alias].cursor() as cursor:
        cursor.execute(statement, parameters or None)
        return list(cursor.fetchall()) if cursor.description else []


def fill(alias: str, move: Move, begin: int, end: int, at: str) -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute(sql.SQL(LARGE_NOTES).format(move.source.identifier), [at, begin, end])


def test_partitions_are_counted_with_their_table_and_toast(database):
    move = monthly.make(database)
    rows(database, "DROP INDEX ix_notes_text")
    fill(database, move, 1, 60, "2026-01-30 13:37+00")
    fill(database, move, 61, 80, "2026-07-01 13:37+00")
    rows(database, "VACUUM ANALYZE notes")
    found = table_size(connections[database], move.source)
    assert found is not None
    ((total, indexes, toast),) = rows(
        database,
        "SELECT sum(pg_total_relation_size(relid))::bigint, sum(pg_indexes_size(relid))::bigint,"
        " sum(pg_total_relation_size(reltoastrelid))::bigint"
        " FROM pg_partition_tree('notes') JOIN pg_class ON oid = relid WHERE isleaf",
    )
    assert (found.size.total, found.size.indexes, found.size.toast) == (total, indexes, toast)
    assert found.size.toast > 80 * 2000
    assert found.size.rows == 80
    assert (found.kind, found.key) == ("partitioned table", "at")
    parts = {one.relation.name: (one.month, one.size.rows) for one in found.partitions}
    assert parts == {"notes_2026_01": (Month(2026, 1), 60), "notes_default": (None, 20)}


def test_partitions_of_partitions_are_counted_too(database):
    rows(database, "CREATE TABLE t (a int, b int) PARTITION BY RANGE (a)")
    rows(database, "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (9) PARTITION BY RANGE (b)")
    rows(database, "CREATE TABLE t1_1 PARTITION OF t1 FOR VALUES FROM (0) TO (9)")
    rows(database, "INSERT INTO t VALUES (1, 1)")
    (found,) = sizes(connections[database], ['"t"']).tables
    ((total,),) = rows(database, "SELECT pg_total_relation_size('t1_1')")
    assert found.size.total == total > 0
    assert [one.relation.name for one in found.partitions] == ["t1_1"]


@pytest.mark.parametrize("pages", ["many", "none"])
def test_rows_are_reckoned_as_the_planner_does(database, pages):
    """What was never counted is not taken for nothing, and what has grown since by its pages."""
    rows(database, "CREATE TABLE t (a int) WITH (autovacuum_enabled = off)")
    if pages == "none":
        rows(database, "ANALYZE t")
        assert sizes(connections[database], ['"t"']).tables[0].size.rows == 0
        rows(database, "INSERT INTO t SELECT generate_series(1, 10)")
        assert sizes(connections[database], ['"t"']).tables[0].size.rows is None
        return
    rows(database, "INSERT INTO t SELECT generate_series(1, 22600)")
    assert sizes(connections[database], ['"t"']).tables[0].size.rows is None
    rows(database, "ANALYZE t")
    assert sizes(connections[database], ['"t"']).tables[0].size.rows == 22600
    rows(database, "INSERT INTO t SELECT generate_series(1, 22600)")
    assert sizes(connections[database], ['"t"']).tables[0].size.rows == 45200


def test_what_is_unknown_in_one_partition_is_unknown_in_all():
    assert Size(rows=5) + Size(rows=None) == Size(rows=None)


def test_tables_of_the_same_names_in_another_schema_are_not_ours(migrated):
    before = measure(migrated)
    rows(migrated, "CREATE SCHEMA theirs")
    rows(migrated, "CREATE TABLE theirs.audit_logs AS SELECT generate_series(1, 100000) AS a")
    after = measure(migrated)
    assert after.tables == before.tables
    assert {table.relation.schema for table in after.tables} == {"public"}
    ((theirs,),) = rows(migrated, "SELECT pg_total_relation_size('theirs.audit_logs')")
    assert after.elsewhere >= before.elsewhere + theirs


def test_all_tables_of_menshun_and_the_database(migrated):
    found = measure(migrated)
    assert {model._meta.db_table for model in PHASE_1} < {table.relation.name for table in found.tables}
    assert found.missing == ()
    assert found.database == database_name(migrated)
    assert found.bytes == found.elsewhere + sum(table.size.total for table in found.tables)


def test_an_empty_database(database):
    found = measure(database)
    assert found.tables == ()
    assert "audit_logs" in found.missing
    assert found.elsewhere == found.bytes > 0


def test_a_table_dropped_between_two_look_ups_is_missing(database):
    move = monthly.make(database)
    people = catalog.relation(connections[database], '"people"')
    assert people is not None
    rows(database, "DROP TABLE notes; DROP TABLE people")
    assert table_size(connections[database], people) is None
    assert table_size(connections[database], move.source) is None


def test_a_partition_dropped_while_it_is_waited_for_is_left_out(database):
    move = monthly.make(database)
    with session(database) as other, other.cursor() as cursor:
        cursor.execute("BEGIN; DROP TABLE notes_2026_01")
        with actor(lambda: table_size(connections[database], move.source)) as future:
            until(lambda: rows(database, "SELECT pid FROM pg_locks WHERE NOT granted"), "it waits for the lock")
            cursor.execute("COMMIT")
        found = future.result()
    assert found is not None
    assert [one.relation.name for one in found.partitions] == ["notes_default"]


def test_who_has_a_table_for_himself_is_waited_for_with_a_bound(database, monkeypatch):
    monkeypatch.setattr(locks, "CALM", Patience(lock_timeout_ms=50, attempts=2, first_pause=0.05, longest_pause=0.05))
    move = monthly.make(database)
    with session(database) as other, other.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE notes_2026_01 IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(LockUnavailable, match=f"pid {other.info.backend_pid} "):
            table_size(connections[database], move.source)
    assert rows(database, "SHOW lock_timeout") == [("0",)]


def test_a_role_without_rights_sees_all_sizes(migrated):
    """Sizes need no rights on the tables."""
    role = f"reader_of_{database_name(migrated)}"
    rows(migrated, f"CREATE ROLE {role}")
    before = measure(migrated)
    try:
        rows(migrated, f"SET ROLE {role}")
        assert measure(migrated).tables == before.tables
    finally:
        rows(migrated, f"RESET ROLE; DROP ROLE {role}")
