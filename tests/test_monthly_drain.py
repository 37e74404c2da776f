"""Rows that fell into the default partition."""

import pytest
from django.db import connections

from pam.postgres import monthly, monthly_default
from pam.postgres.errors import LockUnavailable
from pam.postgres.monthly_catalog import months_of
from pam.postgres.monthly_default import RowsLost, TooManyRows, drain
from pam.postgres.months import Month, months
from tests.support import monthly as toy
from tests.support.databases import session


def test_rows_of_all_times_find_their_months(database):
    move, connection = toy.make(database), connections[database]
    for number, at in enumerate(["1970-01-01 00:00Z", "2099-12-31 23:59:59.999999Z", "2019-02-28 13:37:11+14"], 1):
        toy.add(database, move, number, at)
    before = toy.rows(database, move)
    assert drain(connection, move) == 3
    assert toy.rows(database, move) == before
    assert toy.names(database, move) == {"1": "notes_1970_01", "2": "notes_2099_12", "3": "notes_2019_02"}
    assert drain(connection, move) == 0


def test_what_has_no_month_stays(database):
    move, connection = toy.make(database), connections[database]
    for number, at in enumerate(["infinity", "-infinity", "12026-01-01Z", "0044-03-15 BC", "2031-02-01Z"], 1):
        toy.add(database, move, number, at)
    before = toy.rows(database, move)
    assert drain(connection, move) == 1
    assert toy.rows(database, move) == before
    assert list(toy.names(database, move).values()).count("notes_default") == 4
    assert [one.month for one in months_of(connection, move.source)] == [Month(2026, 1), Month(2031, 2), None]


def test_many_months_take_turns(database):
    move, connection = toy.make(database), connections[database]
    many = list(months(Month(2001, 1), Month(2003, 3)))
    for number, month in enumerate(many, 1):
        toy.add(database, move, number, month.start)
    before = toy.rows(database, move)
    assert drain(connection, move) == len(many) > 2 * monthly_default.MONTHS_AT_ONCE
    assert toy.rows(database, move) == before
    assert "notes_default" not in toy.names(database, move).values()


def test_the_new_default_partition_is_guarded_too(database):
    move, connection = toy.make(database), connections[database]
    toy.add(database, move, 1, "2031-02-01Z")
    drain(connection, move)
    toy.add(database, move, 2, "2041-02-01Z")
    for statement in ("DELETE FROM notes_default", "UPDATE notes_2031_02 SET text = ''", "TRUNCATE notes_default"):
        with connection.cursor() as cursor, pytest.raises(Exception, match="is refused"):
            cursor.execute(statement)


def test_too_many_rows(database, monkeypatch):
    monkeypatch.setattr(monthly_default, "MOST_DRAINED", 1)
    move, connection = toy.make(database), connections[database]
    for number in (1, 2):
        toy.add(database, move, number, "infinity")
    assert drain(connection, move) == 0, "what stays is not too much"
    toy.add(database, move, 3, "2031-02-01Z")
    with pytest.raises(TooManyRows, match=r"notes_default holds 3 rows.*manage\.py migrate, with .* 2031-02, the last"):
        drain(connection, move)


def test_rows_that_a_trigger_swallows_are_not_lost(database):
    move, connection = toy.make(database), connections[database]
    toy.add(database, move, 1, "2031-02-01Z")
    with connection.cursor() as cursor:
        cursor.execute("CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
        cursor.execute("CREATE TRIGGER swallow BEFORE INSERT ON notes FOR EACH ROW EXECUTE FUNCTION swallow()")
    before = toy.rows(database, move)
    with pytest.raises(RowsLost, match="Of 1 rows"):
        drain(connection, move)
    assert toy.rows(database, move) == before


def test_a_reader_of_the_referenced_table_is_named(database, brief):
    move, connection = toy.make(database), connections[database]
    toy.add(database, move, 1, "2031-02-01Z")
    with session(database) as reader, reader.cursor() as reading:
        reading.execute("BEGIN; SELECT * FROM people")
        with pytest.raises(LockUnavailable) as error:
            drain(connection, move)
        assert reader.info.backend_pid in [holder.pid for holder in error.value.holders]
        assert toy.names(database, move) == {"1": "notes_default"}
    assert drain(connection, move) == 1, "what the first run left is made anew"


def test_a_month_beside_its_rows(database):
    move, connection = toy.make(database), connections[database]
    toy.add(database, move, 1, "2031-02-01Z")
    with pytest.raises(monthly.DefaultHasRows, match="pam_partitions drain"):
        monthly.add_month(connection, move, Month(2031, 2))


def test_odd_names_in_a_second_schema(database):
    move, connection = toy.make(database, 'Odd "Table', 'Other "Schema'), connections[database]
    toy.add(database, move, 1, "2031-02-01Z")
    assert drain(connection, move) == 1
    assert toy.names(database, move) == {"1": 'Odd "Table_2031_02'}
