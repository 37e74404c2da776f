"""A month comes to a table in use: what it wears, which locks it takes, what may be in its way."""

import pytest
from django.db import connections
from psycopg2 import sql

from pam.postgres import monthly
from pam.postgres.errors import LockUnavailable
from pam.postgres.monthly import UNFINISHED, MonthTaken
from pam.postgres.monthly_catalog import months_of
from pam.postgres.months import Month
from tests.support import monthly as toy
from tests.support.databases import session

FEBRUARY = Month(2026, 2)


def run(alias: str, *statements: str) -> list[tuple[object, ...]]:
    with connections[alias].cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall()) if cursor.description else []


@pytest.mark.parametrize(("table", "schema"), [("notes", "public"), ('Odd "Table', 'Other "Schema')])
def test_the_dress_of_a_new_month(database, table, schema):
    move, connection = toy.make(database, table, schema), connections[database]
    assert monthly.add_month(connection, move, FEBRUARY)
    assert not monthly.add_month(connection, move, FEBRUARY)
    january, february, default = months_of(connection, move.source)
    assert (february.month, february.is_ours, february.state) == (FEBRUARY, True, "attached")
    assert february.bound == "FOR VALUES FROM ('2026-02-01 00:00:00+00') TO ('2026-03-01 00:00:00+00')"
    assert (default.is_default, default.month) == (True, None)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT x.indexrelid::regclass::text, i.inhparent IS NOT NULL FROM pg_index x"
            " LEFT JOIN pg_inherits i ON i.inhrelid = x.indexrelid WHERE x.indrelid = %s",
            [february.relation.oid],
        )
        indexes = cursor.fetchall()
        assert len(indexes) == 2
        assert all("2026_02" in name and attached for name, attached in indexes)
        cursor.execute("SELECT reloptions FROM pg_class WHERE oid = %s", [february.relation.oid])
        assert cursor.fetchone() == (["fillfactor=77"],)
        cursor.execute(
            "SELECT tgname, tgenabled::text FROM pg_trigger WHERE tgrelid = %s AND NOT tgisinternal ORDER BY 1",
            [february.relation.oid],
        )
        assert cursor.fetchall() == [("rows", "A"), ("whole", "A")]
    assert january.month == Month(2026, 1)


def test_the_bound_does_not_depend_on_the_session(database):
    move, connection = toy.make(database), connections[database]
    run(database, "SET timezone = 'Pacific/Kiritimati'", "SET datestyle = 'German'")
    assert monthly.add_month(connection, move, FEBRUARY)
    assert FEBRUARY in [one.month for one in months_of(connection, move.source)]
    run(database, "SET timezone = 'UTC'", "SET datestyle = 'ISO'")
    assert FEBRUARY in [one.month for one in months_of(connection, move.source)]


def test_exact_rows_are_counted_when_asked(database):
    move, connection = toy.make(database), connections[database]
    toy.add(database, move, 1, toy.NOW)
    assert [one.rows for one in months_of(connection, move.source)] == [0, 0]
    assert [one.rows for one in months_of(connection, move.source, exact=True)] == [1, 0]


def test_a_right_partition_of_another_name_is_accepted(database):
    move = toy.make(database)
    run(database, "CREATE TABLE mine PARTITION OF notes FOR VALUES FROM ('2026-02-01Z') TO ('2026-03-01Z')")
    assert not monthly.add_month(connections[database], move, FEBRUARY)


@pytest.mark.parametrize(
    "there",
    [
        "CREATE TABLE notes_2026_02 ()",
        "CREATE VIEW notes_2026_02 AS SELECT 1",
        "CREATE TABLE notes_2026_02 PARTITION OF notes FOR VALUES FROM ('2026-02-01 13:00Z') TO ('2026-03-01 13:00Z')",
        "CREATE TABLE mine PARTITION OF notes FOR VALUES FROM ('2026-02-01 13:00Z') TO ('2026-03-01 13:00Z')",
        f"CREATE TABLE notes_2026_02 AS SELECT 1; COMMENT ON TABLE notes_2026_02 IS '{UNFINISHED}'",
    ],
    ids=["table", "view", "other bound", "other bound and name", "left over, with rows"],
)
def test_what_is_in_the_way_is_left_alone(database, there):
    move = toy.make(database)
    run(database, there)
    with pytest.raises(MonthTaken, match=r"(?s)2026_02.*taken.*manage\.py pgpartition"):
        monthly.add_month(connections[database], move, FEBRUARY)
    assert FEBRUARY not in [one.month for one in months_of(connections[database], move.source)]


def test_what_a_killed_run_left_is_made_anew(database):
    move = toy.make(database)
    run(database, f"CREATE TABLE notes_2026_02 (); COMMENT ON TABLE notes_2026_02 IS '{UNFINISHED}'")
    assert monthly.add_month(connections[database], move, FEBRUARY)


def test_its_locks_let_readers_and_writers_of_the_table_go_on(database):
    """Seen from within: the transaction that attached is still open while the others work."""
    move, connection = toy.make(database), connections[database]
    seen = []

    def look(execute, statement, params, many, context):
        result = execute(statement, params, many, context)
        if "ATTACH PARTITION" in str(statement):
            with session(database) as other, other.cursor() as cursor:
                cursor.execute("SET lock_timeout = '2s'")
                cursor.execute("INSERT INTO notes VALUES (9, %s, NULL, 'beside it')", [toy.NOW])
                cursor.execute("SELECT count(*) FROM people")
                cursor.execute(
                    "SELECT relation::regclass::text, mode FROM pg_locks WHERE pid = %s AND granted"
                    " AND relation IN ('notes'::regclass, 'people'::regclass, 'notes_default'::regclass)",
                    [connection.connection.info.backend_pid],
                )
                seen.extend(cursor.fetchall())
        return result

    with connection.execute_wrapper(look):
        assert monthly.add_month(connection, move, FEBRUARY)
    strong = {pair for pair in seen if "Exclusive" in pair[1] and pair[1] != "RowExclusiveLock"}
    assert strong == {
        ("notes", "ShareUpdateExclusiveLock"),
        ("people", "ShareUpdateExclusiveLock"),
        ("people", "ShareRowExclusiveLock"),
        ("notes_default", "ShareUpdateExclusiveLock"),
        ("notes_default", "AccessExclusiveLock"),
    }


def test_a_reader_of_the_default_partition_is_named(database, brief):
    move = toy.make(database)
    with session(database) as reader, reader.cursor() as reading:
        reading.execute("BEGIN; SELECT * FROM notes")
        with pytest.raises(LockUnavailable) as error:
            monthly.add_month(connections[database], move, FEBRUARY)
        assert reader.info.backend_pid in [holder.pid for holder in error.value.holders]


def test_an_owner_who_is_no_superuser(database):
    move, connection = toy.make(database), connections[database]
    role = f"owner_of_{connection.settings_dict['NAME']}"
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
        try:
            for table in ("notes", "notes_2026_01", "notes_default", "people"):
                cursor.execute(sql.SQL("ALTER TABLE {} OWNER TO {}").format(*map(sql.Identifier, (table, role))))
            cursor.execute(sql.SQL("GRANT ALL ON SCHEMA public TO {}").format(sql.Identifier(role)))
            assert monthly.add_month(connection, move, FEBRUARY), "by a superuser"
            cursor.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
            assert monthly.add_month(connection, move, Month(2026, 3)), "by the owner"
            cursor.execute("RESET ROLE")
            cursor.execute("SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relname LIKE 'notes_2026%'")
            assert cursor.fetchall() == [(role,)]
        finally:
            cursor.execute("RESET ROLE")
            cursor.execute(sql.SQL("DROP OWNED BY {0} CASCADE; DROP ROLE {0}").format(sql.Identifier(role)))
