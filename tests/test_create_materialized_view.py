"""CreateMaterializedView in eight acts, on a plain and on a partitioned table; the eighth is in a file of its own."""

from contextlib import suppress

import pytest
from django.db import NotSupportedError, OperationalError, connections, models
from django.db.migrations import AddIndex
from django.db.migrations.operations.base import OperationCategory
from django.db.migrations.optimizer import MigrationOptimizer
from django.db.migrations.writer import OperationWriter
from django.test.utils import CaptureQueriesContext, override_settings
from psqlextra.backend.migrations.state import PostgresMaterializedViewModelState
from psqlextra.models import PostgresMaterializedViewModel

from pam.postgres.errors import BuildFailed, TableMissing
from pam.postgres.materialized_view import ViewNeeded, ViewTaken
from pam.postgres.online_copy.obstacles import GOES_BEFORE
from pam.postgres.operations import CreateMaterializedView
from tests.support import toys
from tests.support.toy_report import ADD, BEFORE, FILLED, QUERY, report


@pytest.fixture(params=[False, True], ids=["plain", "partitioned"])
def partitioned(request: pytest.FixtureRequest, database: str) -> bool:
    """Whether the table that `database` has now is partitioned."""
    toys.make_table(database, partitioned=request.param)
    return bool(request.param)


def execute(alias: str, *statements: str) -> None:
    with connections[alias].cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


# 1. Describe, 2. State forwards, 5. Deconstruct


def test_describe_and_deconstruct():
    assert ADD.describe() == "Create materialized view model ToyReport, filled"
    assert ADD.migration_name_fragment == "toyreport"
    assert ADD.category is OperationCategory.ADDITION
    assert ADD.references_model("toy", toys.APP)
    assert ADD.references_model("ToyReport", toys.APP)
    assert not ADD.references_model("other", toys.APP)
    _, arguments, options = ADD.deconstruct()
    assert CreateMaterializedView(*arguments, **options).deconstruct() == ADD.deconstruct()
    text, imports = OperationWriter(ADD, indentation=0).serialize()
    assert "CreateMaterializedView(" in text
    assert f'query="{QUERY}"' in text
    assert "'Toy'" in text
    assert "import pam.postgres.operations.create_materialized_view" in imports


def test_the_state_knows_a_view():
    state = BEFORE.clone()
    ADD.state_forwards(toys.APP, state)
    made = state.models[toys.APP, "toyreport"]
    assert isinstance(made, PostgresMaterializedViewModelState)
    model = state.apps.get_model(toys.APP, "ToyReport")
    assert issubclass(model, PostgresMaterializedViewModel)
    assert model._view_meta.query == (QUERY, ())


def test_squashing_makes_no_table_of_it():
    """CreateModel swallows what follows it, and becomes a plain CreateModel with it."""
    more = AddIndex("ToyReport", models.Index(fields=["number"], name="ix_report_toys"))
    assert MigrationOptimizer().optimize([ADD, more], toys.APP) == [ADD, more]


# 3. Database forwards, 4. backwards


def test_there_and_back(database, partitioned):
    toys.forwards(database, ADD, BEFORE)
    assert report(database) == FILLED
    toys.backwards(database, ADD, BEFORE)
    assert report(database) is None


def test_what_is_there_is_accepted_and_what_is_gone_is_not_missed(database, partitioned):
    toys.forwards(database, ADD, BEFORE)
    with connections[database].cursor() as cursor:
        cursor.execute("SELECT 'report_toys'::regclass::oid")
        made = cursor.fetchone()
        toys.forwards(database, ADD, BEFORE)
        cursor.execute("SELECT 'report_toys'::regclass::oid")
        assert cursor.fetchone() == made, "it is the same view still"
    toys.backwards(database, ADD, BEFORE)
    toys.backwards(database, ADD, BEFORE)
    assert report(database) is None


@pytest.mark.parametrize(
    "change",
    [
        "DROP INDEX uq_report_toys",
        "DROP MATERIALIZED VIEW report_toys;"
        " CREATE MATERIALIZED VIEW report_toys AS SELECT true AS is_active, 5 AS number;"
        f" COMMENT ON MATERIALIZED VIEW report_toys IS '{GOES_BEFORE}'",
    ],
    ids=["its index is gone", "it has another query"],
)
def test_ours_that_was_changed_by_hand_is_made_anew(database, partitioned, change):
    toys.forwards(database, ADD, BEFORE)
    execute(database, change)
    toys.forwards(database, ADD, BEFORE)
    assert report(database) == FILLED


@pytest.mark.parametrize(
    "other",
    ["CREATE TABLE report_toys (id int)", "CREATE MATERIALIZED VIEW report_toys AS SELECT 5 AS five"],
    ids=["table", "view"],
)
def test_a_name_that_is_taken(database, partitioned, other):
    execute(database, other)
    for way in (toys.forwards, toys.backwards):
        with pytest.raises(ViewTaken, match="Nothing was changed") as refusal:
            way(database, ADD, BEFORE)
        assert "ALTER TABLE" in str(refusal.value)
        assert 'CREATE MATERIALIZED VIEW "public"."report_toys" AS' in str(refusal.value)
    execute(database, "SELECT * FROM report_toys")


def test_a_view_upon_ours_is_named_and_stops_the_way_back(database, partitioned):
    toys.forwards(database, ADD, BEFORE)
    execute(database, "CREATE VIEW theirs AS SELECT number FROM report_toys")
    with pytest.raises(ViewNeeded, match="view theirs depends on materialized view report_toys"):
        toys.backwards(database, ADD, BEFORE)
    assert report(database) == FILLED
    execute(database, "DROP VIEW theirs")
    toys.backwards(database, ADD, BEFORE)
    assert report(database) is None


def test_a_table_that_is_not_there(database):
    with pytest.raises(TableMissing, match="showmigrations"):
        toys.forwards(database, ADD, BEFORE)
    toys.backwards(database, ADD, BEFORE)


def test_a_router_that_forbids_everything(database, partitioned):
    with (
        override_settings(DATABASE_ROUTERS=["tests.support.routers.Forbid"]),
        CaptureQueriesContext(connections[database]) as queries,
    ):
        toys.forwards(database, ADD, BEFORE)
        toys.backwards(database, ADD, BEFORE)
    assert len(queries) == 0


def test_refused_in_a_transaction(database, partitioned):
    with connections[database].schema_editor(atomic=True) as editor, pytest.raises(NotSupportedError):
        ADD.database_forwards(toys.APP, editor, BEFORE, toys.forwards(database, ADD, BEFORE))


def test_it_belongs_to_the_owner_of_the_table(database, partitioned):
    """A refresh reads the tables as the owner of the view, and nobody else may refresh it."""
    role = f"view_owner_{database}"
    execute(database, f"CREATE ROLE {role}")
    try:
        execute(database, f"GRANT CREATE ON SCHEMA public TO {role}", f"ALTER TABLE toys OWNER TO {role}")
        toys.forwards(database, ADD, BEFORE)
        execute(database, f"SET ROLE {role}")
        assert report(database) == FILLED
    finally:
        execute(database, "RESET ROLE", f"DROP OWNED BY {role} CASCADE", f"DROP ROLE {role}")


def test_a_second_schema_with_a_table_of_the_same_name(database):
    """The view lies beside the table that this session sees, and reads that one."""
    toys.make_table(database)
    execute(database, "CREATE SCHEMA other", "CREATE MATERIALIZED VIEW public.report_toys AS SELECT 'theirs' AS text")
    toys.make_table(database, schema="other", rows=30)
    execute(database, "SET search_path = other, public")
    toys.forwards(database, ADD, BEFORE)
    assert report(database, "other.report_toys") == {False: 10, True: 20}
    toys.backwards(database, ADD, BEFORE)
    assert report(database, "other.report_toys") is None
    execute(database, "SELECT text FROM public.report_toys")


# 6. The SQL in order


def test_the_sql_in_order(database, partitioned):
    lines = toys.collected(database, ADD, BEFORE)
    statements = [line for line in lines if not line.startswith("--")]
    assert [statement.split("\n")[0] for statement in statements] == [
        "SET lock_timeout = 2000;",
        "SET statement_timeout = 0;",
        "BEGIN;",
        'CREATE MATERIALIZED VIEW "public"."report_toys" AS',
        'CREATE UNIQUE INDEX "uq_report_toys" ON "public"."report_toys" ("is_active");',
        f'COMMENT ON MATERIALIZED VIEW "public"."report_toys" IS \'{GOES_BEFORE}\';',
        "COMMIT;",
        "RESET lock_timeout;",
        "RESET statement_timeout;",
    ]
    for number, line in enumerate(lines):
        assert line.startswith("--") or lines[number - 1].startswith("-- "), line
    assert '-- Lock: ACCESS SHARE on "toys",' in lines
    execute(database, *statements)
    assert report(database) == FILLED
    toys.forwards(database, ADD, BEFORE)
    execute(database, *(line for line in toys.collected(database, ADD, BEFORE, back=True) if not line.startswith("--")))
    assert report(database) is None


def test_the_sql_before_the_table_is_there(database):
    assert any(f"AS\n{QUERY};" in line for line in toys.collected(database, ADD, BEFORE))


# 7. Interrupted and run again


@pytest.mark.parametrize("way", ["there", "back"])
def test_interrupted_before_each_statement_and_run_again(database, way):
    toys.make_table(database, partitioned=True)
    run, wanted = (toys.forwards, FILLED) if way == "there" else (toys.backwards, None)
    number = 0
    while True:
        if way == "back":
            toys.forwards(database, ADD, BEFORE)
        number += 1
        if not cut(database, number, lambda: run(database, ADD, BEFORE)):
            break
        assert report(database) == (None if way == "there" else FILLED), "all of it is there, or nothing"
        run(database, ADD, BEFORE)
        assert report(database) == wanted
        toys.backwards(database, ADD, BEFORE)
    assert number == (4 if way == "there" else 2)


def cut(alias: str, when: int, work) -> bool:
    """Run `work`, whose change number `when` is cancelled; whether there were so many."""
    seen = 0

    def cancelled(execute, statement, params, many, context):
        nonlocal seen
        text = statement if isinstance(statement, str) else statement.as_string(context["connection"].connection)
        if text.startswith(("CREATE", "DROP", "COMMENT", "ALTER")):
            seen += 1
            if seen == when:
                raise OperationalError("cancelled")
        return execute(statement, params, many, context)

    with connections[alias].execute_wrapper(cancelled), suppress(OperationalError, BuildFailed):
        work()
        return False
    return True
