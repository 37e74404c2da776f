"""AddExtendedStatistics in eight acts, on a plain and on a partitioned table."""

from contextlib import suppress

import pytest
from django.db import NotSupportedError, OperationalError, connections
from django.db.migrations.operations.base import OperationCategory
from django.db.migrations.writer import OperationWriter
from django.test.utils import CaptureQueriesContext, override_settings

from pam.postgres.errors import BuildFailed
from pam.postgres.extended_statistics import StatisticsTaken
from pam.postgres.operations import AddExtendedStatistics
from tests.support import toys
from tests.support.databases import session
from tests.support.threads import actor, writers

ADD = AddExtendedStatistics("Toy", "st_toys", fields=["name", "is_active"], kinds=["mcv", "dependencies"])
BEFORE = toys.state()
NAMES = {False: {"st_toys"}, True: {"st_toys"} | {f"st_toys_{month}" for month in toys.MONTHS}}


@pytest.fixture(params=[False, True], ids=["plain", "partitioned"])
def partitioned(request: pytest.FixtureRequest, database: str) -> bool:
    """Whether the table that `database` has now is partitioned."""
    toys.make_table(database, partitioned=request.param)
    return bool(request.param)


def gathered(alias: str) -> dict[str, bool]:
    """The statistics there are, each with whether the server has gathered something."""
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT s.stxname, EXISTS (SELECT FROM pg_statistic_ext_data d"
            " WHERE d.stxoid = s.oid AND d.stxdmcv IS NOT NULL) FROM pg_statistic_ext s"
        )
        return dict(cursor.fetchall())


# 1. Describe, 2. State forwards, 5. Deconstruct


def test_describe_state_and_deconstruct():
    assert ADD.describe() == "Gather extended statistics st_toys on name, is_active of model Toy"
    assert ADD.migration_name_fragment == "st_toys"
    assert ADD.category is OperationCategory.ADDITION
    assert ADD.references_model("toy", toys.APP)
    assert not ADD.references_model("other", toys.APP)
    state = BEFORE.clone()
    ADD.state_forwards(toys.APP, state)
    assert state == BEFORE
    text, imports = OperationWriter(ADD, indentation=0).serialize()
    assert "AddExtendedStatistics(" in text
    assert "kinds=['mcv', 'dependencies']" in text
    assert imports == {"import pam.postgres.operations.add_extended_statistics"}


# 3. Database forwards, 4. backwards


def test_there_and_back(database, partitioned):
    toys.forwards(database, ADD, BEFORE)
    assert gathered(database) == dict.fromkeys(NAMES[partitioned], True)
    toys.backwards(database, ADD, BEFORE)
    assert gathered(database) == {}


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
        ADD.database_forwards(toys.APP, editor, BEFORE, BEFORE)


def test_a_name_that_is_taken(database, partitioned):
    with connections[database].cursor() as cursor:
        cursor.execute("CREATE STATISTICS st_toys (ndistinct) ON name, is_active FROM toys")
    for way in (toys.forwards, toys.backwards):
        with pytest.raises(StatisticsTaken, match="ALTER STATISTICS") as refusal:
            way(database, ADD, BEFORE)
        assert "CREATE STATISTICS public.st_toys (ndistinct)" in str(refusal.value)
        assert 'CREATE STATISTICS "public"."st_toys" (mcv, dependencies)' in str(refusal.value)
        assert set(gathered(database)) == {"st_toys"}


def test_a_name_of_a_month_that_is_taken_is_told_before_anything_is_made(database):
    toys.make_table(database, partitioned=True)
    taken = f"st_toys_{toys.MONTHS[-1]}"
    with connections[database].cursor() as cursor:
        cursor.execute(f"CREATE STATISTICS {taken} (ndistinct) ON name, is_active FROM toys_{toys.MONTHS[-1]}")
    with pytest.raises(StatisticsTaken, match="Nothing was changed"):
        toys.forwards(database, ADD, BEFORE)
    assert set(gathered(database)) == {taken}


def test_they_belong_to_the_owner_of_the_table(database, partitioned):
    role = f"statistics_owner_{database}"
    with connections[database].cursor() as cursor:
        cursor.execute(f"CREATE ROLE {role}")
        try:
            cursor.execute(f"GRANT CREATE ON SCHEMA public TO {role}; ALTER TABLE toys OWNER TO {role}")
            toys.forwards(database, ADD, BEFORE)
            cursor.execute("SELECT DISTINCT stxowner::regrole::text FROM pg_statistic_ext")
            assert cursor.fetchall() == [(role,)]
        finally:
            cursor.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


# 6. The SQL in order


def test_the_sql_in_order(database, partitioned):
    lines = toys.collected(database, ADD, BEFORE)
    statements = [line for line in lines if not line.startswith("--")]
    assert statements[0] == "SET lock_timeout = 2000;"
    assert statements[2] == 'CREATE STATISTICS "public"."st_toys" (mcv, dependencies) ON "name", "is_active" FROM ' + (
        '"public"."toys";'
    )
    assert statements[-3] == 'ANALYZE "public"."toys" ("name", "is_active");'
    assert len(statements) == 2 * len(NAMES[partitioned]) + 5
    for number, line in enumerate(lines):
        assert line.startswith("--") or lines[number - 1].startswith("-- Lock:")
    with connections[database].cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        assert gathered(database) == dict.fromkeys(NAMES[partitioned], True)
        for statement in toys.collected(database, ADD, BEFORE, back=True):
            if not statement.startswith("--"):
                cursor.execute(statement)
    assert gathered(database) == {}


def test_the_sql_before_the_table_is_there(database):
    statements = [line for line in toys.collected(database, ADD, BEFORE) if not line.startswith("--")]
    assert statements[-3] == 'ANALYZE "public"."toys" ("name", "is_active");'


# 7. Interrupted and run again


@pytest.mark.parametrize("way", ["there", "back"])
def test_interrupted_before_each_statement_and_run_again(database, way):
    toys.make_table(database, partitioned=True)
    run = toys.forwards if way == "there" else toys.backwards
    before, wanted = ({}, dict.fromkeys(NAMES[True], True)) if way == "there" else (NAMES[True], {})
    number = 0
    while True:
        if before:
            toys.forwards(database, ADD, BEFORE)
        number += 1
        if not cut(database, number, lambda: run(database, ADD, BEFORE)):
            break
        run(database, ADD, BEFORE)
        assert gathered(database) == wanted
        toys.backwards(database, ADD, BEFORE)
    assert number > len(NAMES[True])


def cut(alias: str, when: int, work) -> bool:
    """Run `work`, whose change number `when` is cancelled; whether there were so many."""
    seen = 0

    def cancelled(execute, statement, params, many, context):
        nonlocal seen
        text = statement if isinstance(statement, str) else statement.as_string(context["connection"].connection)
        if text.startswith(("CREATE", "DROP", "COMMENT", "ANALYZE")):
            seen += 1
            if seen == when:
                raise OperationalError("cancelled")
        return execute(statement, params, many, context)

    with connections[alias].execute_wrapper(cancelled), suppress(OperationalError, BuildFailed):
        work()
        return False
    return True


# 8. Under concurrent writers


def test_under_concurrent_writers(database, partitioned):
    """Writers go on all the while, and one who has written and not committed stops nothing on the way there.

    Back, the server would let a writer plan with statistics that are dropped meanwhile, and his statement fail.
    """

    def write(writer: int, number: int) -> None:
        with connections[database].cursor() as cursor:
            cursor.execute("UPDATE toys SET name = 'again' WHERE id = %s", [writer * 100 + number % 100])

    with session(database) as other, other.cursor() as cursor:
        cursor.execute("BEGIN; INSERT INTO toys VALUES (5000, 'open', true, '2026-02-03 13:37:11+00')")
        with writers(3, write):
            toys.forwards(database, ADD, BEFORE)
            assert gathered(database) == dict.fromkeys(NAMES[partitioned], True)
            cursor.execute("COMMIT")
            toys.backwards(database, ADD, BEFORE)
    assert gathered(database) == {}


def test_back_nobody_plans_with_what_goes(database, partitioned):
    """Who plans holds the table; the statistics go when he has let go of it, and he has waited for nobody."""
    toys.forwards(database, ADD, BEFORE)
    with session(database) as other, other.cursor() as cursor:
        cursor.execute("BEGIN; SELECT count(*) FROM toys")
        with actor(lambda: toys.backwards(database, ADD, BEFORE)) as going:
            with pytest.raises(TimeoutError):
                going.result(timeout=0.3)
            assert "st_toys" in gathered(database)
            cursor.execute("SELECT count(*) FROM toys WHERE name = 'again' AND is_active; COMMIT")
            going.result(timeout=20)
    assert gathered(database) == {}


def test_the_sql_of_the_way_back(database, partitioned):
    toys.forwards(database, ADD, BEFORE)
    lines = toys.collected(database, ADD, BEFORE, back=True)
    statements = [line for line in lines if not line.startswith("--")]
    assert statements[:5] == [
        "BEGIN;",
        "SET LOCAL lock_timeout = 50;",
        'LOCK TABLE ONLY "public"."toys" IN ACCESS EXCLUSIVE MODE;',
        'DROP STATISTICS IF EXISTS "public"."st_toys";',
        "COMMIT;",
    ]
    assert len(statements) == 5 * len(NAMES[partitioned])
