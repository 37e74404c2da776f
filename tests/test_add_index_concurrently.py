"""AddIndexConcurrently in eight acts, on plain and on partitioned tables."""

import pytest
from django.db import NotSupportedError, connections
from django.db.migrations.operations.base import OperationCategory
from django.db.migrations.writer import MigrationWriter
from django.test.utils import CaptureQueriesContext, override_settings

from pam.postgres.errors import NameTaken, TableMissing
from pam.postgres.indexes import GinIndex, Index
from tests.support import toys
from tests.support.indexes import index_oid, index_validity, invalidate
from tests.support.routers import Forbid
from tests.support.threads import writers

# 1. Describe


def test_describe():
    assert toys.add_index().describe() == (
        "Concurrently create index ix_toys_name_partial on field(s) name of model Toy"
    )
    assert toys.add_index().migration_name_fragment == "toy_ix_toys_name_partial"
    assert toys.add_index().category is OperationCategory.ADDITION


# 2. State forwards


def test_state_forwards():
    state = toys.state()
    toys.add_index().state_forwards(toys.APP, state)
    assert state.models["pam", "toy"].options["indexes"] == [toys.INDEX]


# 3. Database forwards


def test_forwards_builds_a_valid_index(database, toy_table):
    toys.forwards(database, toys.add_index(), toys.state())
    assert index_validity(database, "ix_toys%") == toy_table


def test_forwards_of_a_gin_index_and_an_empty_table(database):
    toys.make_table(database, rows=0)
    with connections[database].cursor() as cursor:
        cursor.execute("CREATE EXTENSION pg_trgm")
    gin = GinIndex(fields=["name"], opclasses=["gin_trgm_ops"], name="ix_toys_search_gin")
    toys.forwards(database, toys.add_index(gin), toys.state())
    assert index_validity(database, "ix_toys%") == {"ix_toys_search_gin": True}


@pytest.mark.parametrize("partitioned", [False, True])
def test_odd_names_in_another_schema_by_an_owner_who_is_no_superuser(database, partitioned):
    connection = connections[database]
    with connection.cursor() as cursor:
        cursor.execute("DROP ROLE IF EXISTS toy_owner")
        cursor.execute("CREATE ROLE toy_owner")
        cursor.execute('CREATE SCHEMA "Odd Schema" AUTHORIZATION toy_owner')
        # an index of the same name in a schema that comes first must not be taken for ours
        cursor.execute("CREATE SCHEMA first AUTHORIZATION toy_owner")
        cursor.execute('CREATE TABLE first.decoy (x int); CREATE INDEX "Ix Odd; DROP" ON first.decoy (x)')
        cursor.execute("SET ROLE toy_owner")
        cursor.execute('SET search_path = first, "Odd Schema"')
    toys.make_table(database, "Odd Table", partitioned=partitioned, schema="Odd Schema")
    odd = Index(fields=["name"], name="Ix Odd; DROP")
    before = toys.state("Odd Table")
    toys.forwards(database, toys.add_index(odd), before)
    toys.forwards(database, toys.add_index(odd), before)
    assert all(index_validity(database, "Ix Odd%").values())
    assert len(index_validity(database, "Ix Odd%")) == (4 if partitioned else 1)
    toys.backwards(database, toys.add_index(odd), before)
    with connection.cursor() as cursor:
        cursor.execute("SELECT schemaname FROM pg_indexes WHERE indexname LIKE 'Ix Odd%'")
        assert cursor.fetchall() == [("first",)]
        cursor.execute("RESET ROLE")
        cursor.execute("DROP SCHEMA first CASCADE")
        cursor.execute("DROP OWNED BY toy_owner")
        cursor.execute("DROP ROLE toy_owner")


# 4. Database backwards


def test_backwards_leaves_nothing(database, toy_table):
    before = toys.state()
    toys.forwards(database, toys.add_index(), before)
    toys.backwards(database, toys.add_index(), before)
    assert index_validity(database, "ix_toys%") == {}
    toys.backwards(database, toys.add_index(), before)


def test_backwards_leaves_an_index_that_is_not_ours(database, toy_table):
    with connections[database].cursor() as cursor:
        cursor.execute(f"CREATE INDEX {toys.INDEX.name} ON toys (name, is_active)")
    with pytest.raises(NameTaken, match="is_active"):
        toys.backwards(database, toys.add_index(), toys.state())
    assert index_validity(database, toys.INDEX.name) == {toys.INDEX.name: True}


# 5. Deconstruct


def test_deconstruct():
    name, args, kwargs = toys.add_index().deconstruct()
    assert (name, args, kwargs) == ("AddIndexConcurrently", [], {"model_name": "Toy", "index": toys.INDEX})
    written, imports = MigrationWriter.serialize(toys.INDEX)
    assert written.startswith("pam.postgres.indexes.Index(")
    assert "import pam.postgres.indexes" in imports


# 6. The SQL in order


def test_sqlmigrate_prints_runnable_statements_each_with_its_lock(database):
    with CaptureQueriesContext(connections[database]) as executed:
        printed = toys.collected(database, toys.add_index(), toys.state())
    assert executed.captured_queries == [], "nothing is executed, and no table need be there"
    statements = [line for line in printed if not line.startswith("--")]
    assert statements == [
        "SET lock_timeout = 3600000;",
        "SET statement_timeout = 0;",
        'CREATE INDEX CONCURRENTLY "ix_toys_name_partial" ON "toys" ("name") WHERE "is_active";',
        "RESET lock_timeout;",
        "RESET statement_timeout;",
    ]
    for statement in statements:
        above = printed[: printed.index(statement)]
        block = [line for line in above if line.startswith("--")]
        assert block, statement
    assert '-- Lock: SHARE UPDATE EXCLUSIVE on "toys" for the whole build' in "\n".join(printed)
    toys.make_table(database)
    with connections[database].cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    toys.forwards(database, toys.add_index(), toys.state())
    assert index_validity(database, "ix_toys%") == {toys.INDEX.name: True}


def test_sqlmigrate_backwards(database):
    printed = toys.collected(database, toys.add_index(), toys.state(), back=True)
    assert 'DROP INDEX CONCURRENTLY IF EXISTS "ix_toys_name_partial";' in printed


@override_settings(DATABASE_ROUTERS=[Forbid()])
def test_a_router_that_forbids_is_asked_first(database):
    with CaptureQueriesContext(connections[database]) as executed:
        toys.forwards(database, toys.add_index(), toys.state())
        toys.backwards(database, toys.add_index(), toys.state())
    assert executed.captured_queries == []


def test_refuses_to_run_inside_a_transaction(database):
    before = toys.state()
    after = before.clone()
    toys.add_index().state_forwards(toys.APP, after)
    with (
        connections[database].schema_editor(atomic=True) as editor,
        pytest.raises(NotSupportedError, match="atomic = False"),
    ):
        toys.add_index().database_forwards(toys.APP, editor, before, after)


def test_the_sessions_timeouts_are_as_before(database, toy_table):
    with connections[database].cursor() as cursor:
        cursor.execute("SET lock_timeout = '7s'; SET statement_timeout = '8s'")
        toys.forwards(database, toys.add_index(), toys.state())
        cursor.execute("SELECT current_setting('lock_timeout'), current_setting('statement_timeout')")
        assert cursor.fetchone() == ("7s", "8s")


# 7. Interrupted and run again


def test_a_valid_index_is_accepted_as_it_is(database, toy_table):
    toys.forwards(database, toys.add_index(), toys.state())
    oid = index_oid(database, toys.INDEX.name)
    toys.forwards(database, toys.add_index(), toys.state())
    assert index_oid(database, toys.INDEX.name) == oid
    assert index_validity(database, "ix_toys%") == toy_table


def test_an_invalid_one_is_built_again(database):
    toys.make_table(database)
    toys.forwards(database, toys.add_index(), toys.state())
    oid = index_oid(database, toys.INDEX.name)
    invalidate(database, toys.INDEX.name)
    toys.forwards(database, toys.add_index(), toys.state())
    assert index_validity(database, "ix_toys%") == {toys.INDEX.name: True}
    assert index_oid(database, toys.INDEX.name) != oid


@pytest.mark.parametrize("statement", [
    "CREATE INDEX ix_toys_name_partial ON toys (name)",
    "CREATE INDEX ix_toys_name_partial ON toys (name DESC) WHERE is_active",
    "CREATE INDEX ix_toys_name_partial ON toys (name text_pattern_ops) WHERE is_active",
    "CREATE UNIQUE INDEX ix_toys_name_partial ON toys (name, made_at) WHERE is_active",
    "CREATE INDEX ix_toys_name_partial ON toys USING hash (name) WHERE is_active",
    "CREATE TABLE other (name text, is_active bool); CREATE INDEX ix_toys_name_partial ON other (name) WHERE is_active",
    "CREATE TABLE ix_toys_name_partial (x int)",
])  # fmt: skip
def test_another_thing_of_the_name_stops_it(database, toy_table, statement):
    with connections[database].cursor() as cursor:
        cursor.execute(statement)
        cursor.execute("SELECT oid, relname FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY oid")
        before = cursor.fetchall()
        with pytest.raises(NameTaken) as caught:
            toys.forwards(database, toys.add_index(), toys.state())
        assert "found:" in str(caught.value)
        assert 'wanted: CREATE INDEX "ix_toys_name_partial" ON "public"."toys"' in str(caught.value)
        cursor.execute("SELECT oid, relname FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY oid")
        assert cursor.fetchall() == before


@pytest.mark.parametrize("condition", ["is_active", "(is_active)", "is_active = true", "NOT (is_active = false)"])
def test_the_same_definition_in_other_words_is_accepted(database, toy_table, condition):
    with connections[database].cursor() as cursor:
        cursor.execute(f"CREATE INDEX ix_toys_name_partial ON toys USING btree (name ASC NULLS LAST) WHERE {condition}")
    toys.forwards(database, toys.add_index(), toys.state())
    toys.backwards(database, toys.add_index(), toys.state())
    assert index_validity(database, "ix_toys%") == {}


def test_no_such_table(database):
    with pytest.raises(TableMissing, match="showmigrations"):
        toys.forwards(database, toys.add_index(), toys.state())


# 8. Under concurrent writers


def test_under_concurrent_writers(database, toy_table):
    def step(writer: int, number: int) -> None:
        with connections[database].cursor() as cursor:
            key = 10_000 + writer * 100_000 + number
            cursor.execute("INSERT INTO toys VALUES (%s, 'new', true, '2026-02-10')", [key])
            cursor.execute("UPDATE toys SET name = 'seen', is_active = NOT is_active WHERE id = %s", [key])
            cursor.execute("DELETE FROM toys WHERE id = %s AND id %% 2 = 0", [key])

    before = toys.state()
    with writers(4, step) as steps:
        toys.forwards(database, toys.add_index(), before)
        toys.backwards(database, toys.add_index(), before)
        toys.forwards(database, toys.add_index(), before)
    assert index_validity(database, "ix_toys%") == toy_table
    with connections[database].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM toys WHERE id > 9999")
        assert cursor.fetchone()[0] == sum(done // 2 for done in steps)
        cursor.execute("SET enable_seqscan = off")
        cursor.execute("SELECT count(*) FROM toys WHERE name = 'seen' AND is_active")
        assert cursor.fetchone()[0] == 0
