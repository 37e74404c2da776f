"""PartitionByMonth in its acts, on a toy with an odd name in a second schema, owned by somebody else."""

import io
import re
import threading
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections, models
from django.db.migrations import Migration
from django.db.migrations.state import ModelState, ProjectState
from django.db.migrations.writer import OperationWriter
from django.test import override_settings

from pam.postgres.monthly_model import MonthlyModelState
from pam.postgres.operations import PartitionByMonth
from tests.support import toys
from tests.support.databases import session
from tests.support.threads import writers

TABLE = "Odd; Täble"
OPERATION = PartitionByMonth("Toy", time="made_at")
DRESS = """
CREATE ROLE {owner};
CREATE ROLE {reader};
CREATE SCHEMA months AUTHORIZATION {owner};
CREATE TABLE months.makers (id int PRIMARY KEY);
INSERT INTO months.makers VALUES (1);
CREATE TABLE months."Odd; Täble" (
    id bigint PRIMARY KEY,
    name text COLLATE "C" NOT NULL DEFAULT 'toy',
    gone int,
    is_active bool NOT NULL,
    made_at timestamptz NOT NULL,
    length int GENERATED ALWAYS AS (char_length(name)) STORED,
    maker int CONSTRAINT fk_maker REFERENCES months.makers DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT ck_name CHECK (name <> ''),
    CONSTRAINT uq_name UNIQUE NULLS NOT DISTINCT (name)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE months."Odd; Täble" DROP COLUMN gone;
ALTER TABLE months."Odd; Täble" ALTER name SET STATISTICS 321, ALTER name SET STORAGE EXTERNAL;
CREATE INDEX "ix odd" ON months."Odd; Täble" (lower(name) DESC NULLS LAST) INCLUDE (id) WHERE is_active;
COMMENT ON TABLE months."Odd; Täble" IS 'it''s odd';
COMMENT ON COLUMN months."Odd; Täble".name IS 'a name';
COMMENT ON INDEX months."ix odd" IS 'an index';
GRANT SELECT, INSERT ON months."Odd; Täble" TO {reader} WITH GRANT OPTION;
GRANT UPDATE (name) ON months."Odd; Täble" TO PUBLIC;
ALTER TABLE months."Odd; Täble" OWNER TO {owner};
ALTER TABLE months.makers OWNER TO {owner};
INSERT INTO months."Odd; Täble" (id, name, is_active, made_at, maker)
SELECT n, 'toy ' || n, n % 3 > 0, timestamptz '2026-01-01 00:00+00' + n * interval '89 days' / 1001, 1
FROM generate_series(1, 1000) n;
INSERT INTO months."Odd; Täble" (id, name, is_active, made_at)
VALUES (1001, 'last', true, '2026-01-31 23:59:59.999999+00'), (1002, 'first', true, '2026-02-01 00:00+00');
"""
# Everything the catalog says of the table, but for oids, file names, statistics and the order of its making.
DESCRIBED = """
SELECT 'class', relkind::text || relreplident::text || relrowsecurity::text, reloptions::text, relacl::text,
    relowner::regrole::text || obj_description(oid, 'pg_class')
FROM pg_class WHERE oid = %(table)s::regclass
UNION ALL SELECT 'column', attname, format_type(atttypid, atttypmod) || attnotnull || attstorage::text,
    concat(attstattarget, attacl, attislocal, attinhcount, attgenerated), col_description(attrelid, attnum)
FROM pg_attribute WHERE attrelid = %(table)s::regclass AND attnum > 0 AND NOT attisdropped
UNION ALL SELECT 'constraint', conname, pg_get_constraintdef(oid), concat(convalidated, conislocal, coninhcount), NULL
FROM pg_constraint WHERE conrelid = %(table)s::regclass
UNION ALL SELECT 'index', pg_get_indexdef(indexrelid), indisvalid::text, indisprimary::text,
    obj_description(indexrelid, 'pg_class')
FROM pg_index WHERE indrelid = %(table)s::regclass
ORDER BY 1, 2
"""
ROWS = 'SELECT count(*), sum(hashtextextended(t::text, 0)::numeric) FROM "Odd; Täble" t'


def state() -> ProjectState:
    project = ProjectState()
    project.add_model(
        ModelState(
            toys.APP,
            "Toy",
            [
                ("id", models.BigIntegerField(primary_key=True)),
                ("name", models.TextField()),
                ("is_active", models.BooleanField(default=True)),
                ("made_at", models.DateTimeField()),
            ],
            {"db_table": TABLE, "constraints": [models.UniqueConstraint(fields=["name"], name="uq_name")]},
        )
    )
    return project


def described(alias: str) -> list[tuple[Any, ...]]:
    with connections[alias].cursor() as cursor:
        cursor.execute(DESCRIBED, {"table": f'"{TABLE}"'})
        return list(cursor.fetchall())


def rows(alias: str) -> tuple[int, int]:
    with connections[alias].cursor() as cursor:
        cursor.execute(ROWS)
        count, checksum = cursor.fetchone()
    return count, checksum


def test_describe():
    assert OPERATION.describe() == "Partition model Toy by the month of made_at, online"
    assert OPERATION.migration_name_fragment == "toy_by_month"
    assert OPERATION.references_model("TOY", "pam")
    assert not OPERATION.references_model("Other", "pam")


def test_state_forwards():
    after = state()
    OPERATION.state_forwards(toys.APP, after)
    toy = after.models[toys.APP, "toy"]
    assert isinstance(toy, MonthlyModelState)
    assert toy.partitioning_options == {"method": "range", "key": ["made_at"]}
    model = after.apps.get_model(toys.APP, "Toy")
    assert model._meta.pk.name == "id", "no composite key"
    assert list(toy.fields) == ["id", "name", "is_active", "made_at"]


def test_deconstruct():
    written, imports = OperationWriter(OPERATION, indentation=0).serialize()
    assert re.sub(r"\s", "", written).endswith("PartitionByMonth(model_name='Toy',time='made_at',),")
    assert imports == {"import pam.postgres.operations.partition_by_month"}


def test_there_and_back_leaves_the_table_as_it_was(database):
    with session(database) as other, other.cursor() as cursor:
        cursor.execute(DRESS.format(owner="odd_owner", reader="odd_reader"))
    connections.databases[database]["OPTIONS"] = {
        **connections.databases[database].get("OPTIONS", {}),
        "options": "-csearch_path=months,public",
    }
    connections[database].close()
    del connections[database]
    try:
        before, contents = described(database), rows(database)
        toys.forwards(database, OPERATION, state())
        assert rows(database) == contents
        assert described(database) == [as_partitioned(row) for row in before]
        assert months_and_counts(database)['"Odd; Täble_2026_01"'] == 349
        toys.backwards(database, OPERATION, state())
        assert described(database) == before
        assert rows(database) == contents
    finally:
        with session(database) as other, other.cursor() as cursor:
            cursor.execute("DROP SCHEMA months CASCADE; DROP ROLE odd_owner; DROP ROLE odd_reader")


def as_partitioned(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """What of a description becomes another: its kind, its storage parameters, keys that end in the time."""
    kind, name, *rest = row
    if kind == "class":
        return kind, name.replace("r", "p", 1), None, *rest[1:]
    if kind == "constraint" and rest[0].startswith(("PRIMARY", "UNIQUE")):
        return kind, name, rest[0].replace(")", ", made_at)"), *rest[1:]
    if kind == "index":
        key = name.replace(' ON months."', ' ON ONLY months."')
        return kind, re.sub(r"(USING btree \((id|name))\)", r"\1, made_at)", key), *rest
    return row


def months_and_counts(alias: str) -> dict[str, int]:
    with connections[alias].cursor() as cursor:
        cursor.execute('SELECT tableoid::regclass::text, count(*) FROM "Odd; Täble" GROUP BY 1')
        return dict(cursor.fetchall())


def test_a_router_that_forbids_everything(database):
    with (
        override_settings(DATABASE_ROUTERS=["tests.support.routers.Forbid"]),
        connections[database].execute_wrapper(_no_query),
    ):
        toys.forwards(database, OPERATION, state())


def _no_query(execute: Any, statement: str, *_: Any) -> Any:
    raise AssertionError(f"no query may run: {statement}")


def test_refused_in_a_transaction(database):
    migration = type("Migration", (Migration,), {"operations": [OPERATION]})("1", "pam")
    with (
        pytest.raises(Exception, match="atomic = False"),
        connections[database].schema_editor(atomic=True) as editor,
    ):
        migration.apply(state(), editor)


def test_the_sql_names_a_lock_above_each_statement(migrated, phase2):
    """On a table that is not there, that is there, and that is what it shall be."""
    printed = call_command("sqlmigrate", "pam", "0012", database=phase2, stdout=io.StringIO())
    statements = [line for line in printed.splitlines() if line.endswith(";") and not line.startswith("--")]
    assert len(statements) > 50
    lines = printed.splitlines()
    for number, line in enumerate(lines):
        if line.startswith(("ALTER", "CREATE", "DROP", "INSERT", "LOCK", "VACUUM", "ANALYZE")):
            assert lines[number - 1].startswith("-- Lock"), line
    order = [printed.index(word) for word in ("menshun_capture", "FROM ONLY", "VACUUM", "RENAME TO", "DROP TABLE")]
    assert order == sorted(order)
    again = call_command("sqlmigrate", "pam", "0012", database=migrated, stdout=io.StringIO())
    assert "nothing is done" in again


@pytest.mark.parametrize("name", ["0011", "0012"])
def test_the_sql_on_an_empty_database(database, name):
    """As for the tables of phase 1, which are there for a moment that nobody sees."""
    printed = call_command("sqlmigrate", "pam", name, database=database, stdout=io.StringIO())
    assert "swap the names" in printed
    assert 'ALTER TABLE "public"."' in printed
    with connections[database].cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace")
        assert cursor.fetchall() == []


def test_under_concurrent_writers(phase2):
    """The full proof is test_phase3_live; this one holds the operation's own promise on a plain toy."""
    toys.make_table(phase2)
    with connections[phase2].cursor() as cursor:
        cursor.execute("ALTER TABLE toys ADD PRIMARY KEY (id)")

    def write(writer: int, number: int) -> None:
        key = 10_000 + writer * 1_000_000 + number
        with connections[phase2].cursor() as cursor:
            cursor.execute("INSERT INTO toys VALUES (%s, 'new', true, now())", [key])
            cursor.execute("UPDATE toys SET name = %s WHERE id = %s", [f"changed {number}", key])
            # Rows of its own: the server refuses one of two updates that move a row to another month at once.
            own = 1 + 3 * (number % 300) + writer
            cursor.execute("UPDATE toys SET made_at = made_at + interval '40 days' WHERE id = %s", [own])
        # They share one interpreter with what they try to hinder, which could not keep up without a breath of theirs.
        threading.Event().wait(0.005)

    with writers(3, write) as done:
        toys.forwards(phase2, OPERATION, toys.state())
        toys.backwards(phase2, OPERATION, toys.state())
        toys.forwards(phase2, OPERATION, toys.state())
    with connections[phase2].cursor() as cursor:
        cursor.execute("SELECT count(*), count(DISTINCT id), sum((name LIKE 'changed%%')::int) FROM toys", [])
        assert cursor.fetchone() == (1000 + sum(done), 1000 + sum(done), sum(done))
