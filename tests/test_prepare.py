"""Ahead of time: everything but the swap, days before; what others do in between; and all of it taken away."""

import io
import json
import os
import subprocess
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import DataError, connections

from menshun.embedded import programs
from pam.postgres.online_copy.errors import ObstaclesFound
from tests.support.bulk import add_audit_rows, audit_checksum
from tests.support.clients import Client, checksums, found
from tests.support.months import CONVERTED, add_sessions, left_over, partitions
from tests.test_phases import objects

END = "2027-01-01"
# Of four months.
DAYS = (110, "2026-07-05 13:37:11+00")
MEANWHILE = {
    "a column is added": "ALTER TABLE sessions ADD COLUMN theirs int",
    "an index is dropped": "DROP INDEX ix_sessions_geographic",
    "the capture is switched off for a while": (
        "ALTER TABLE sessions DISABLE TRIGGER menshun_capture; UPDATE sessions SET request_count = 7;"
        " ALTER TABLE sessions ENABLE ALWAYS TRIGGER menshun_capture"
    ),
    "the table is rewritten": "CLUSTER sessions USING sessions_pkey; ALTER TABLE sessions SET WITHOUT CLUSTER",
    "it is emptied": "TRUNCATE sessions",
    "rows go": "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions LIMIT 100)",
    "a hot row": "DO 'BEGIN FOR n IN 1..1000 LOOP UPDATE sessions SET request_count = n WHERE id ="
    " (SELECT id FROM sessions ORDER BY id LIMIT 1); END LOOP; END'",
    "rows move to another month": (
        "UPDATE sessions SET id = gen_random_uuid(), created_at = created_at - interval '70 days'"
        " WHERE id IN (SELECT id FROM sessions LIMIT 50)"
    ),
    "a year that nobody made": (
        "UPDATE sessions SET id = gen_random_uuid(), created_at = '1970-06-01 00:00+00' WHERE id IN"
        " (SELECT id FROM sessions LIMIT 1)"
    ),
}


@pytest.fixture
def full(phase2: str) -> str:
    Client(phase2, "seed").step(0)
    add_audit_rows(phase2, 500, *DAYS)
    add_sessions(phase2, 500, *DAYS)
    return phase2


def test_prepared_and_swapped_later(full):
    before = audit_checksum(full)
    call_command("pam_partitions", "prepare", database=full, stdout=io.StringIO())
    assert partitions(full, "audit_logs") == {}
    client = Client(full, "later")
    client.step(0)
    told = status(full)
    assert [table["state"] for table in told] == ["converting", "converting"]
    assert all(table["verified_at"] and table["keys_waiting"] > 0 for table in told)
    call_command("pam_partitions", "prepare", database=full, stdout=io.StringIO())
    assert [table["keys_waiting"] for table in status(full)] == [0, 0], "taken up again, it catches up"
    call_command("migrate", "pam", CONVERTED, database=full, verbosity=0)
    assert audit_checksum(full)[0] == before[0] + 2
    assert found(full, set(client.remembered)) == client.remembered
    assert [table["state"] for table in status(full)] == ["partitioned", "partitioned"]
    assert left_over(full) == []


def status(alias: str):
    out = io.StringIO()
    call_command("pam_partitions", "status", database=alias, json=True, stdout=out)
    return json.loads(out.getvalue())


@pytest.mark.parametrize("back", [False, True], ids=["there", "back"])
def test_abandoned_nothing_is_left(full, back):
    if back:
        call_command("migrate", "pam", CONVERTED, database=full, verbosity=0)
    before, rows = objects(full), checksums(full, END)
    call_command("pam_partitions", "prepare", database=full, back=back, stdout=io.StringIO())
    assert left_over(full) != []
    call_command("pam_partitions", "abandon", database=full, stdout=io.StringIO())
    assert objects(full) == before
    assert checksums(full, END) == rows


def test_prepared_and_then_all_of_it_goes(full):
    call_command("pam_partitions", "prepare", database=full, stdout=io.StringIO())
    call_command("migrate", "pam", "zero", database=full, verbosity=0)
    assert left_over(full) == []


@pytest.mark.parametrize("what", MEANWHILE)
def test_what_others_do_in_between(full, what):
    call_command("pam_partitions", "prepare", database=full, stdout=io.StringIO())
    with connections[full].cursor() as cursor:
        cursor.execute(MEANWHILE[what])
        cursor.execute("SELECT count(*), sum(hashtextextended(s::text, 0)::numeric) FROM sessions s")
        rows = cursor.fetchone()
        call_command("migrate", "pam", CONVERTED, database=full, verbosity=0)
        cursor.execute("SELECT count(*), sum(hashtextextended(s::text, 0)::numeric) FROM sessions s")
        assert cursor.fetchone() == rows
        cursor.execute("SELECT count(*), count(DISTINCT id) FROM sessions")
        assert len(set(cursor.fetchone())) == 1
    assert partitions(full, "sessions") != {}
    assert left_over(full) == []


def test_a_collation_that_is_changed_in_between_stays(full):
    call_command("pam_partitions", "prepare", database=full, stdout=io.StringIO())
    with connections[full].cursor() as cursor:
        cursor.execute('ALTER TABLE sessions ALTER browser_name TYPE varchar(100) COLLATE "C"')
        call_command("migrate", "pam", CONVERTED, database=full, verbosity=0)
        cursor.execute(
            "SELECT collation_name FROM information_schema.columns WHERE table_schema = 'public'"
            " AND table_name = 'sessions' AND column_name = 'browser_name'"
        )
        assert cursor.fetchall() == [("C",)]
    assert partitions(full, "sessions") != {}


def test_a_generated_column_that_becomes_a_plain_one_in_between_stays_plain(full):
    with connections[full].cursor() as cursor:
        cursor.execute("ALTER TABLE sessions ADD theirs int GENERATED ALWAYS AS (request_count + 1) STORED")
        call_command("pam_partitions", "prepare", database=full, stdout=io.StringIO())
        cursor.execute("ALTER TABLE sessions ALTER theirs DROP EXPRESSION")
        cursor.execute("SELECT count(*) FROM sessions")
        (rows,) = cursor.fetchone()
        cursor.execute("UPDATE sessions SET theirs = 70 WHERE id IN (SELECT id FROM sessions LIMIT 5)")
        call_command("migrate", "pam", CONVERTED, database=full, verbosity=0)
        cursor.execute("SELECT count(*) FILTER (WHERE theirs = 70), count(*) FROM sessions WHERE theirs IS NOT NULL")
        assert cursor.fetchone() == (5, rows)
        cursor.execute(
            "SELECT attgenerated FROM pg_attribute WHERE attrelid = 'sessions'::regclass AND attname = 'theirs'"
        )
        assert cursor.fetchall() == [("",)]
    assert partitions(full, "sessions") != {}


def test_a_column_that_becomes_an_identity_in_between_is_an_obstacle(full):
    with connections[full].cursor() as cursor:
        cursor.execute("ALTER TABLE sessions ADD theirs int NOT NULL DEFAULT 7")
        call_command("pam_partitions", "prepare", database=full, stdout=io.StringIO())
        cursor.execute(
            "ALTER TABLE sessions ALTER theirs DROP DEFAULT, ALTER theirs ADD GENERATED BY DEFAULT AS IDENTITY"
        )
        with pytest.raises(ObstaclesFound, match=r"theirs is an identity column.*DROP IDENTITY"):
            call_command("migrate", "pam", CONVERTED, database=full, verbosity=0)
        assert partitions(full, "sessions") == {}
        cursor.execute("ALTER TABLE sessions ALTER theirs DROP IDENTITY")
    call_command("migrate", "pam", CONVERTED, database=full, verbosity=0)
    assert left_over(full) == []


def test_an_invalid_index_that_is_repaired_in_between_comes_along(full):
    with connections[full].cursor() as cursor:
        cursor.execute("UPDATE sessions SET session_name = 'four' WHERE id IN (SELECT id FROM sessions LIMIT 1)")
        with pytest.raises(DataError, match="division by zero"):
            cursor.execute("CREATE INDEX CONCURRENTLY theirs ON sessions ((1 / (length(session_name) - 4)))")
        cursor.execute("UPDATE sessions SET session_name = 'other'")
        call_command("pam_partitions", "prepare", database=full, stdout=io.StringIO())
        cursor.execute("REINDEX INDEX theirs")
        call_command("migrate", "pam", CONVERTED, database=full, verbosity=0)
        cursor.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = 'theirs'::regclass")
        assert cursor.fetchall() == [(True,)]
    assert partitions(full, "sessions") != {}
    assert left_over(full) == []


def test_restored_from_a_dump_in_the_middle(full, database):
    """Rows lie elsewhere after a restore, so that the list of blocks that are copied says nothing: it begins anew."""
    call_command("pam_partitions", "prepare", database=full, stdout=io.StringIO())
    before = checksums(full, END)
    connections[full].close()
    source, target = (connections.databases[alias] for alias in (full, database))
    folder = Path(os.environ.get("PG_BINDIR") or programs.wheel_bindir())
    url = "postgresql://{USER}@/{NAME}?host={HOST}&port={PORT}"
    for alias in (source, target):
        alias.setdefault("PORT", "5432")
    dump = subprocess.run(
        [folder / "pg_dump", "--format=plain", url.format(**source)], stdout=subprocess.PIPE, check=True
    )
    subprocess.run(
        [folder / "psql", "-qX", "-v", "ON_ERROR_STOP=1", url.format(**target)],
        input=dump.stdout,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    connections[database].close()
    assert [table["state"] for table in status(database)] == ["converting", "converting"]
    call_command("migrate", "pam", database=database, verbosity=0)
    assert checksums(database, END) == before
    assert partitions(database, "sessions") != {}
    assert left_over(database) == []


def test_a_prepared_way_back_is_named_when_the_way_there_is_prepared(full, caplog):
    call_command("migrate", "pam", CONVERTED, database=full, verbosity=0)
    call_command("pam_partitions", "prepare", database=full, back=True, stdout=io.StringIO())
    caplog.clear()
    call_command("pam_partitions", "prepare", database=full, stdout=io.StringIO())
    told = [message for message in caplog.messages if "its way to the other form is prepared" in message]
    assert len(told) == 2
    assert all("python manage.py pam_partitions abandon" in message for message in told)
