"""TrigramExtension in eight acts: it comes, and goes only if it is ours to take away."""

import logging

import pytest
from django.db import connections, transaction
from django.db.migrations.operations.base import OperationCategory
from django.test.utils import CaptureQueriesContext, override_settings

from pam.postgres.operations import TrigramExtension
from pam.postgres.operations.extension import ExtensionRefused
from tests.support import toys
from tests.support.routers import Forbid
from tests.support.threads import writers

ADD = TrigramExtension()


def forwards(alias: str) -> None:
    with connections[alias].schema_editor(atomic=True) as editor:
        ADD.database_forwards(toys.APP, editor, toys.state(), toys.state())


def backwards(alias: str) -> None:
    with connections[alias].schema_editor(atomic=True) as editor:
        ADD.database_backwards(toys.APP, editor, toys.state(), toys.state())


def is_there(alias: str) -> bool:
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'")
        return bool(cursor.fetchone()[0])


def execute(alias: str, *statements: str) -> None:
    with connections[alias].cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@pytest.fixture
def poor_role(database: str):
    """The session acts as a role that owns a schema but may not create in the database."""
    execute(
        database,
        "DROP ROLE IF EXISTS poor",
        "CREATE ROLE poor",
        "CREATE SCHEMA poor AUTHORIZATION poor",
        "SET ROLE poor",
        "SET search_path = poor",
    )
    yield database
    execute(database, "RESET ROLE", "DROP OWNED BY poor", "DROP ROLE poor")


# 1. Describe, 2. State forwards, 5. Deconstruct


def test_describe_state_and_deconstruct():
    assert ADD.describe() == "Creates extension pg_trgm"
    assert ADD.migration_name_fragment == "create_extension_pg_trgm"
    assert ADD.category is OperationCategory.ADDITION
    state = toys.state()
    ADD.state_forwards(toys.APP, state)
    assert state == toys.state()
    assert ADD.deconstruct() == ("TrigramExtension", (), {})


# 3. Database forwards, 4. backwards


def test_it_comes_and_goes(database):
    forwards(database)
    assert is_there(database)
    backwards(database)
    assert not is_there(database)
    backwards(database)


def test_one_that_was_there_before_stays(database, caplog):
    caplog.set_level(logging.INFO, "pam.migrations")
    execute(database, "CREATE EXTENSION pg_trgm")
    forwards(database)
    backwards(database)
    assert is_there(database)
    assert "pg_trgm: was there before this project; it stays" in caplog.text


def test_one_that_something_else_uses_stays(database, caplog):
    forwards(database)
    execute(
        database,
        "CREATE TABLE theirs (name text)",
        "CREATE INDEX ix_theirs ON theirs USING gin (name gin_trgm_ops)",
    )
    backwards(database)
    assert is_there(database)
    assert "pg_trgm: something else uses it, so it stays: index ix_theirs" in caplog.text
    execute(database, "DROP TABLE theirs")
    backwards(database)
    assert not is_there(database)


def test_a_role_without_the_right(poor_role):
    with pytest.raises(ExtensionRefused, match="may not create the extension pg_trgm") as caught:
        forwards(poor_role)
    assert "CREATE EXTENSION pg_trgm" in str(caught.value)
    assert "python manage.py migrate" in str(caught.value)


def test_a_role_without_the_right_where_it_is_there_already(poor_role):
    execute(poor_role, "RESET ROLE", "SET search_path = public", "CREATE EXTENSION pg_trgm", "SET ROLE poor")
    forwards(poor_role)
    backwards(poor_role)
    assert is_there(poor_role)


def test_one_in_a_schema_that_is_not_looked_into(database):
    execute(database, "CREATE SCHEMA elsewhere", "CREATE EXTENSION pg_trgm SCHEMA elsewhere")
    with pytest.raises(ExtensionRefused, match=r'Make the path: "\$user", public, "elsewhere" where it is set'):
        forwards(database)


# 6. The SQL in order


def test_sqlmigrate(database):
    def collect(back: bool) -> list[str]:
        with connections[database].schema_editor(collect_sql=True, atomic=False) as editor:
            run = ADD.database_backwards if back else ADD.database_forwards
            run(toys.APP, editor, toys.state(), toys.state())
        return list(editor.collected_sql)

    with CaptureQueriesContext(connections[database]) as executed:
        printed, back = collect(False), collect(True)
    assert executed.captured_queries == []
    statements = [line for line in printed if not line.startswith("--")]
    (statement,) = statements
    assert 'CREATE EXTENSION "pg_trgm";' in statement
    assert 'COMMENT ON EXTENSION "pg_trgm" IS ' in statement
    assert [line for line in back if not line.startswith("--")] == ['DROP EXTENSION "pg_trgm";']
    assert sum(line.startswith("-- Lock: none") for line in printed + back) == 2
    execute(database, *statements)
    backwards(database)
    assert not is_there(database), "what sqlmigrate prints leaves the same mark"


def test_what_is_printed_leaves_one_that_was_there_before(database):
    execute(database, "CREATE EXTENSION pg_trgm")
    with connections[database].schema_editor(collect_sql=True, atomic=False) as editor:
        ADD.database_forwards(toys.APP, editor, toys.state(), toys.state())
    execute(database, *(line for line in editor.collected_sql if not line.startswith("--")))
    backwards(database)
    assert is_there(database)


@override_settings(DATABASE_ROUTERS=[Forbid()])
def test_a_router_that_forbids_is_asked_first(database):
    connections[database].ensure_connection()
    with transaction.atomic(using=database), CaptureQueriesContext(connections[database]) as executed:
        editor = connections[database].schema_editor(atomic=False)
        ADD.database_forwards(toys.APP, editor, toys.state(), toys.state())
        ADD.database_backwards(toys.APP, editor, toys.state(), toys.state())
    assert executed.captured_queries == []


# 7. Interrupted and run again


def test_interrupted_between_making_and_marking(database):
    """Both are one transaction, so that a kill leaves none of the two, and the next run's mark says the truth."""

    def interrupted() -> None:
        with connections[database].schema_editor(atomic=True) as editor:
            ADD.database_forwards(toys.APP, editor, toys.state(), toys.state())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not is_there(database)
    forwards(database)
    forwards(database)
    backwards(database)
    assert not is_there(database)


# 8. Under concurrent writers


def test_under_concurrent_writers(database):
    toys.make_table(database)

    def step(writer: int, number: int) -> None:
        execute(database, f"UPDATE toys SET name = name || '!' WHERE id = {writer + 1}")

    with writers(3, step) as steps:
        for _ in range(3):
            forwards(database)
            backwards(database)
    with connections[database].cursor() as cursor:
        cursor.execute("SELECT sum(length(name) - length(rtrim(name, '!'))) FROM toys")
        assert cursor.fetchone()[0] == sum(steps)
