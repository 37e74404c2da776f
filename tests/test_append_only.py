"""AppendOnly: what it is, what it does, both ways; then everybody who tries to get past it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import ProgrammingError, connections
from django.db.migrations.operations.base import OperationCategory
from django.db.migrations.writer import OperationWriter
from django.test import override_settings
from psycopg2 import sql
from psycopg2.errors import InsufficientPrivilege

from pam.postgres.operations.append_only import AppendOnly
from tests.support import toys
from tests.support.databases import session
from tests.support.threads import writers

OPERATION = AppendOnly("Toy")
GUARDS = [("pam_refuse_change", "A"), ("pam_refuse_truncate", "A")]


class NowhereRouter:
    """A router under which no migration may touch any database."""

    def allow_migrate(self, *_: Any, **__: Any) -> bool:
        return False


def guards(alias: str, table: str = "toys") -> list[tuple[str, str]]:
    """The triggers of a table, and when they fire ("A" is always)."""
    return ask(
        alias, "SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = %s::regclass ORDER BY tgname", [f'"{table}"']
    )


def functions(alias: str) -> list[tuple[str]]:
    return ask(alias, "SELECT pronamespace::regnamespace::text FROM pg_proc WHERE proname = 'pam_refuse_change_v1'")


def ask(alias: str, statement: str, parameters: list[Any] | None = None) -> list[Any]:
    with connections[alias].cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())


def run(alias: str, statement: str) -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute(statement)


@contextmanager
def refused(operation: str, table: str = "public.toys") -> Iterator[None]:
    """The block is refused by the guard, which says what was tried, where, and why it cannot be."""
    with pytest.raises(ProgrammingError) as error:
        yield
    cause = error.value.__cause__
    assert isinstance(cause, InsufficientPrivilege)
    assert cause.diag.message_primary == f"{table} is append-only: {operation} is refused"
    assert cause.diag.message_hint is not None
    assert "evidence" in cause.diag.message_hint


@pytest.fixture
def guarded(database: str) -> str:
    """A database in which the table of toys, with rows, is append-only."""
    toys.make_table(database, rows=10)
    toys.forwards(database, OPERATION, toys.state())
    return database


# The operation itself.


def test_it_describes_itself() -> None:
    assert OPERATION.describe() == "Refuse UPDATE, DELETE and TRUNCATE of model Toy"
    assert OPERATION.migration_name_fragment == "toy_append_only"
    assert OPERATION.category is OperationCategory.ADDITION
    assert OPERATION.reversible
    assert OPERATION.references_model("TOY", "pam")
    assert not OPERATION.references_model("Boy", "pam")


def test_it_leaves_the_state_alone() -> None:
    state = toys.state()
    after = state.clone()

    OPERATION.state_forwards(toys.APP, after)

    assert after == state


def test_forwards_it_guards_the_table(database: str) -> None:
    toys.make_table(database)

    toys.forwards(database, OPERATION, toys.state())

    assert guards(database) == GUARDS
    assert functions(database) == [("public",)]


def test_backwards_it_leaves_nothing_behind(guarded: str) -> None:
    toys.backwards(guarded, OPERATION, toys.state())

    assert guards(guarded) == []
    assert functions(guarded) == []
    run(guarded, "UPDATE toys SET name = 'x'; DELETE FROM toys; TRUNCATE toys")


def test_backwards_it_leaves_the_function_to_another_table(guarded: str) -> None:
    toys.make_table(guarded, "others")
    toys.forwards(guarded, OPERATION, toys.state("others"))

    toys.backwards(guarded, OPERATION, toys.state())

    assert (guards(guarded), guards(guarded, "others")) == ([], GUARDS)
    assert functions(guarded) == [("public",)]


def test_it_can_be_written_to_a_migration() -> None:
    lines, imports = OperationWriter(OPERATION, indentation=0).serialize()

    assert lines.split() == ["pam.postgres.operations.append_only.AppendOnly(", "model_name='Toy',", "),"]
    assert imports == {"import pam.postgres.operations.append_only"}


def test_it_shows_each_statement_under_its_lock_and_runs_none(database: str) -> None:
    toys.make_table(database)

    printed = toys.collected(database, OPERATION, toys.state())
    back = toys.collected(database, OPERATION, toys.state(), back=True)

    assert [entry.split("\n")[0] for entry in printed] == [
        "-- Lock: none on any table.",
        "CREATE OR REPLACE FUNCTION pam_refuse_change_v1() RETURNS trigger LANGUAGE plpgsql",
        '-- Lock: SHARE ROW EXCLUSIVE on "toys", which writers wait for; does not grow with rows.',
        'CREATE OR REPLACE TRIGGER pam_refuse_change BEFORE UPDATE OR DELETE ON "toys"',
        '-- Lock: SHARE ROW EXCLUSIVE on "toys", which writers wait for; does not grow with rows.',
        'ALTER TABLE "toys" ENABLE ALWAYS TRIGGER pam_refuse_change;',
        '-- Lock: SHARE ROW EXCLUSIVE on "toys", which writers wait for; does not grow with rows.',
        'CREATE OR REPLACE TRIGGER pam_refuse_truncate BEFORE TRUNCATE ON "toys"',
        '-- Lock: SHARE ROW EXCLUSIVE on "toys", which writers wait for; does not grow with rows.',
        'ALTER TABLE "toys" ENABLE ALWAYS TRIGGER pam_refuse_truncate;',
    ]
    assert [entry.split("\n")[0] for entry in back] == [
        '-- Lock: ACCESS EXCLUSIVE on "toys", which readers and writers wait for; does not grow with rows.',
        'DROP TRIGGER IF EXISTS pam_refuse_truncate ON "toys";',
        '-- Lock: ACCESS EXCLUSIVE on "toys", which readers and writers wait for; does not grow with rows.',
        'DROP TRIGGER IF EXISTS pam_refuse_change ON "toys";',
        "-- Lock: none on any table. Other append-only tables may still use the function.",
        "DO $block$",
    ]
    assert guards(database) == []


@pytest.mark.parametrize("back", [False, True])
def test_what_it_shows_is_what_it_does(database: str, back: bool) -> None:
    toys.make_table(database)
    if back:
        toys.forwards(database, OPERATION, toys.state())

    for entry in toys.collected(database, OPERATION, toys.state(), back=back):
        if not entry.startswith("--"):
            run(database, entry)

    assert guards(database) == ([] if back else GUARDS)


def test_a_router_that_forbids_it_is_obeyed(guarded: str) -> None:
    toys.make_table(guarded, "others")

    with override_settings(DATABASE_ROUTERS=[f"{__name__}.NowhereRouter"]):
        toys.forwards(guarded, OPERATION, toys.state("others"))
        toys.backwards(guarded, OPERATION, toys.state())
        assert toys.collected(guarded, OPERATION, toys.state()) == []

    assert (guards(guarded), guards(guarded, "others")) == (GUARDS, [])


@pytest.mark.parametrize("done", range(6))
def test_interrupted_anywhere_it_can_be_run_again(database: str, done: int) -> None:
    toys.make_table(database)
    statements = [s for s in toys.collected(database, OPERATION, toys.state()) if not s.startswith("--")]
    for statement in statements[:done]:
        run(database, statement)

    toys.forwards(database, OPERATION, toys.state())

    assert guards(database) == GUARDS


def test_writers_lose_nothing_while_it_comes(database: str) -> None:
    toys.make_table(database, rows=0)

    def write(writer: int, number: int) -> None:
        with connections[database].cursor() as cursor:
            cursor.execute("INSERT INTO toys VALUES (%s, 'toy', true, now())", [writer * 1_000_000 + number])

    with writers(3, write) as done:
        toys.forwards(database, OPERATION, toys.state())

    assert ask(database, "SELECT count(*) FROM toys") == [(sum(done),)]
    with refused("DELETE"):
        run(database, "DELETE FROM toys")


def test_names_that_need_quotes_are_no_obstacle(database: str) -> None:
    with connections[database].cursor() as cursor:
        cursor.execute('CREATE SCHEMA "Odd ""Schema"""')
        cursor.execute(
            sql.SQL("ALTER DATABASE {} SET search_path = {}").format(
                sql.Identifier(connections[database].settings_dict["NAME"]), sql.Identifier('Odd "Schema"')
            )
        )
    connections[database].close()
    toys.make_table(database, "Odd Table", schema='Odd "Schema"', rows=1)

    toys.forwards(database, OPERATION, toys.state("Odd Table"))

    assert functions(database) == [('"Odd ""Schema"""',)]
    with refused("UPDATE", '"Odd ""Schema"""."Odd Table"'):
        run(database, 'UPDATE "Odd Table" SET name = name')
    toys.backwards(database, OPERATION, toys.state("Odd Table"))
    assert (guards(database, "Odd Table"), functions(database)) == ([], [])


# Everybody who tries to get past it. The tests' own role is a superuser.


@pytest.mark.parametrize(
    ("operation", "statement"),
    [
        ("UPDATE", "UPDATE toys SET name = name WHERE id = 1"),
        ("DELETE", "DELETE FROM toys WHERE id = 1"),
        ("TRUNCATE", "TRUNCATE toys"),
        ("TRUNCATE", "TRUNCATE boxes CASCADE"),
        ("DELETE", "DELETE FROM boxes"),
        ("UPDATE", "INSERT INTO toys SELECT * FROM toys ON CONFLICT (id) DO UPDATE SET name = 'x'"),
        ("UPDATE", "MERGE INTO toys USING boxes ON toys.id = boxes.id WHEN MATCHED THEN UPDATE SET name = 'x'"),
        ("DELETE", "MERGE INTO toys USING boxes ON toys.id = boxes.id WHEN MATCHED THEN DELETE"),
        ("DELETE", "WITH gone AS (DELETE FROM toys RETURNING *) SELECT * FROM gone"),
        ("UPDATE", "SET session_replication_role = replica; UPDATE toys SET name = 'x'"),
        ("DELETE", "SET session_replication_role = replica; DELETE FROM toys"),
        ("TRUNCATE", "SET session_replication_role = replica; TRUNCATE toys"),
        ("UPDATE", "SET search_path = pg_temp; UPDATE public.toys SET name = 'x'"),
    ],
)
def test_it_is_refused(guarded: str, operation: str, statement: str) -> None:
    run(guarded, "ALTER TABLE toys ADD PRIMARY KEY (id)")
    run(guarded, "CREATE TABLE boxes (id bigint PRIMARY KEY); INSERT INTO boxes VALUES (1)")
    run(guarded, "ALTER TABLE toys ADD box bigint DEFAULT 1 REFERENCES boxes ON DELETE CASCADE")
    before = ask(guarded, "SELECT * FROM toys ORDER BY id")

    with refused(operation):
        run(guarded, statement)

    connections[guarded].close()
    assert ask(guarded, "SELECT * FROM toys ORDER BY id") == before


def test_a_partition_is_guarded_with_its_table(database: str) -> None:
    toys.make_table(database, partitioned=True)

    toys.forwards(database, OPERATION, toys.state())

    with refused("UPDATE", "public.toys_2026_01"):
        run(database, "UPDATE toys_2026_01 SET name = 'x'")


def test_rows_still_come_in_and_ddl_still_works(guarded: str) -> None:
    with session(guarded) as other, other.cursor() as cursor:
        cursor.execute("INSERT INTO toys VALUES (4711, 'late', true, now())")
        cursor.execute("ALTER TABLE toys ADD COLUMN colour text NOT NULL DEFAULT 'red'")
        cursor.execute("ALTER TABLE toys ALTER COLUMN id TYPE numeric")

    assert ask(guarded, "SELECT count(*) FROM toys") == [(11,)]
