"""The reports come and go with phase 3: with its migrations, and never in the way of them."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.utils import timezone

from pam.explain.sample import NoRows
from pam.models import AuditEventReport
from pam.models.reports import REPORTS
from pam.partitions.tables import tables
from pam.postgres.online_copy import engine
from pam.postgres.online_copy.errors import ObstaclesFound

pytestmark = pytest.mark.once

MIGRATION = "0014_phase3_reporting_views"
OPERATIONS = {one.name: one for one in import_module(f"pam.migrations.{MIGRATION}").Migration.operations}
VIEWS = {report._meta.db_table for report in REPORTS}
# The tables (none for what is not a table) that each view depends on, and whether on more than the columns it reads.
READ = """
SELECT DISTINCT t.relname FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class t ON t.oid = d.refobjid
WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND r.ev_class = %(view)s::regclass
    AND t.oid <> r.ev_class
"""
COLUMNS = """
SELECT attname, format_type(atttypid, atttypmod)
FROM pg_attribute WHERE attrelid = %(view)s::regclass AND attnum > 0 ORDER BY attnum
"""
OTHER_DEPENDENCIES = """
SELECT DISTINCT d.refclassid::regclass::text FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
WHERE d.classid = 'pg_rewrite'::regclass AND r.ev_class = %(view)s::regclass AND d.refclassid <> 'pg_class'::regclass
"""


def migrate(alias: str, *target: str) -> None:
    call_command("migrate", *target, database=alias, verbosity=0)


def query(alias: str, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
    with connections[alias].cursor() as cursor:
        cursor.execute(statement, parameters or None)
        return list(cursor.fetchall()) if cursor.description else []


def views(alias: str) -> dict[str, int]:
    """The materialized views there are, by name, with their oids."""
    return dict(query(alias, "SELECT relname, oid FROM pg_class WHERE relkind = 'm'"))


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.__name__)
def test_the_frozen_query_is_what_the_model_would_make_today(migrated: str, report: Any) -> None:
    """In the words of the server, which shows a view of what the model makes as it shows the frozen one."""
    statement, parameters = report._view_meta.query
    with connections[migrated].cursor() as cursor:
        # Values and not parameters, as the library does it: a view has none.
        living = cursor.mogrify(statement, parameters).decode()
    query(migrated, f"CREATE VIEW living AS {living}")
    (frozen,) = query(migrated, "SELECT pg_get_viewdef(%(view)s::regclass)", view=report._meta.db_table)
    (made,) = query(migrated, "SELECT pg_get_viewdef('living'::regclass)")
    assert made == frozen
    assert query(migrated, COLUMNS, view="living") == query(migrated, COLUMNS, view=report._meta.db_table)


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.__name__)
def test_the_columns_are_those_of_the_model(migrated: str, report: Any) -> None:
    fields = {field.column: field.db_type(connections[migrated]) for field in report._meta.fields}
    # As the catalog calls them.
    query(migrated, f"CREATE TABLE fields ({', '.join(f'{name} {kind}' for name, kind in fields.items())})")
    wanted = dict(query(migrated, COLUMNS, view="fields"))
    assert dict(query(migrated, COLUMNS, view=report._meta.db_table)) == wanted


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.__name__)
def test_a_view_reads_the_tables_that_its_operation_names_and_needs_nothing_else(migrated: str, report: Any) -> None:
    """Not a primary key, say, as GROUP BY does that leaves columns out: then phase 3 could not swap the table."""
    read = {table for (table,) in query(migrated, READ, view=report._meta.db_table)}
    models = import_module("pam.models")
    assert read == {getattr(models, name)._meta.db_table for name in OPERATIONS[report.__name__].reads}
    assert query(migrated, OTHER_DEPENDENCIES, view=report._meta.db_table) == []


def test_they_go_with_phase_3_and_come_back(migrated: str) -> None:
    assert views(migrated).keys() == VIEWS
    migrate(migrated, "pam", "0010_phase3_begin")
    assert views(migrated) == {}
    migrate(migrated)
    assert views(migrated).keys() == VIEWS
    AuditEventReport.refresh(concurrently=True, using=migrated)


def test_they_stay_when_phase_2_goes_and_comes_back(migrated: str) -> None:
    before = views(migrated)
    migrate(migrated, "pam", "0002_phase2_begin")
    for report in REPORTS:
        report.refresh(concurrently=True, using=migrated)
    migrate(migrated)
    assert views(migrated) == before


@pytest.mark.parametrize("left", [0, 1, 4])
def test_what_an_interrupted_run_left_goes_before_the_way_back(migrated: str, left: int) -> None:
    """Killed after some of the views were made, before the migration was recorded."""
    for view in sorted(VIEWS)[left:]:
        query(migrated, f"DROP MATERIALIZED VIEW {view}")
    query(migrated, "DELETE FROM django_migrations WHERE name ~ '^001[45]_phase3|^0024_report|^009[345]_all'")
    migrate(migrated, "pam", "0010_phase3_begin")
    assert views(migrated) == {}
    assert {table.move.source.kind for table in tables(migrated)} == {"r"}
    migrate(migrated)
    assert views(migrated).keys() == VIEWS


def test_one_that_was_dropped_by_hand_is_in_nobodys_way(migrated: str) -> None:
    """Its indexes, which are of both phases, went with it."""
    query(migrated, "DROP MATERIALIZED VIEW report_account_risk")
    migrate(migrated, "pam", "0002_phase2_begin")
    migrate(migrated, "pam", "0013_phase3_extended_statistics")
    assert views(migrated) == {}
    migrate(migrated)
    assert views(migrated).keys() == VIEWS


def test_a_run_that_was_interrupted_goes_on(migrated: str) -> None:
    before = views(migrated)
    query(migrated, "DROP MATERIALIZED VIEW report_audit_events")
    query(migrated, "DELETE FROM django_migrations WHERE name ~ '^001[45]_phase3|^0024_report|^009[345]_all'")
    migrate(migrated)
    after = views(migrated)
    assert after.keys() == VIEWS
    assert {name for name in VIEWS if before[name] != after[name]} == {"report_audit_events"}


def test_the_way_back_can_be_prepared_while_they_are_read(migrated: str) -> None:
    """They go by their migration, before the swap; a swap past it is refused, and the copy is kept."""
    out = io.StringIO()
    call_command("pam_plan", back=True, database=migrated, stdout=out)
    assert "OBSTACLE" not in out.getvalue()
    call_command("pam_partitions", "prepare", back=True, database=migrated, stdout=out)
    assert 'audit_logs": prepared' in out.getvalue()
    AuditEventReport.refresh(concurrently=True, using=migrated)
    (audit,) = [one for one in tables(migrated) if one.layout.table == '"audit_logs"']
    with pytest.raises(ObstaclesFound) as refusal:
        engine.convert(audit.connection, audit.layout, to_months=False, now=timezone.now())
    (obstacle,) = refusal.value.obstacles
    assert "The view report_audit_events reads it" in obstacle
    assert "DROP MATERIALIZED VIEW report_audit_events." in obstacle
    assert "menshun's own" in obstacle
    assert audit.move.source.is_partitioned
    migrate(migrated, "pam", "0010_phase3_begin")
    assert views(migrated) == {}
    assert {table.move.source.kind for table in tables(migrated)} == {"r"}


def test_a_view_of_others_is_an_obstacle_from_the_start(migrated: str) -> None:
    query(migrated, "CREATE MATERIALIZED VIEW theirs AS SELECT count(*) FROM audit_logs")
    out = io.StringIO()
    with pytest.raises(CommandError, match="1 obstacles"):
        call_command("pam_plan", back=True, database=migrated, stdout=out)
    assert "Keep its text (pg_get_viewdef), drop it, and create it again afterwards" in out.getvalue()
    with pytest.raises(ObstaclesFound, match="The view theirs reads it"):
        call_command("pam_partitions", "prepare", back=True, database=migrated)


def test_one_of_ours_on_a_plain_table_is_an_obstacle_to_the_way_there(phase2: str) -> None:
    """As a restore may leave it: nothing would take it away before the swap."""
    mark = "menshun: comes after the conversion to months and goes before the way back"
    query(phase2, "CREATE MATERIALIZED VIEW report_audit_events AS SELECT count(*) FROM audit_logs")
    query(phase2, f"COMMENT ON MATERIALIZED VIEW report_audit_events IS '{mark}'")
    with pytest.raises(ObstaclesFound, match=r"menshun's own.*DROP MATERIALIZED VIEW report_audit_events"):
        migrate(phase2)
    query(phase2, "DROP MATERIALIZED VIEW report_audit_events")
    migrate(phase2)
    assert views(phase2).keys() == VIEWS


@contextmanager
def role_in_a_schema_of_its_own(alias: str) -> Iterator[str]:
    """The alias, whose sessions are those of a role without privileges, whose tables lie in the schema `menshun`."""
    role = f"plain_{alias}"
    query(alias, f"CREATE ROLE {role}")
    query(alias, f"CREATE SCHEMA menshun AUTHORIZATION {role}")
    query(alias, f'GRANT CREATE ON DATABASE "{connections.databases[alias]["NAME"]}" TO {role}')
    settings = connections[alias].settings_dict
    before = settings["OPTIONS"]
    connections[alias].close()
    settings["OPTIONS"] = {**before, "options": f"-c search_path=menshun,public -c role={role}"}
    try:
        yield alias
    finally:
        connections[alias].close()
        settings["OPTIONS"] = before
        query(alias, f"DROP OWNED BY {role} CASCADE")
        query(alias, f"DROP ROLE {role}")


def test_without_a_superuser_in_another_schema(database: str) -> None:
    with role_in_a_schema_of_its_own(database):
        migrate(database)
        found = query(
            database,
            "SELECT n.nspname, c.relname, c.relowner::regrole::text = current_user FROM pg_class c"
            " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE relkind = 'm'",
        )
        assert set(found) == {("menshun", view, True) for view in VIEWS}
        for report in REPORTS:
            report.refresh(concurrently=True, using=database)
        migrate(database, "pam", "zero")
        assert views(database) == {}


def test_another_owner_of_the_tables_owns_the_views(migrated: str) -> None:
    """Who migrates may be a superuser; who refreshes is the owner."""
    role = f"tables_owner_{migrated}"
    migrate(migrated, "pam", "0013")
    query(migrated, f"CREATE ROLE {role}")
    try:
        query(migrated, f"GRANT USAGE, CREATE ON SCHEMA public TO {role}")
        for (table,) in query(
            migrated,
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace",
        ):
            query(migrated, f'ALTER TABLE "{table}" OWNER TO {role}')
        out = io.StringIO()
        call_command("sqlmigrate", "pam", MIGRATION, database=migrated, stdout=out)
        assert out.getvalue().count(f'OWNER TO "{role}"') == len(VIEWS)
        migrate(migrated)
        query(migrated, f"SET ROLE {role}")
        for report in REPORTS:
            report.refresh(concurrently=True, using=migrated)
    finally:
        query(migrated, "RESET ROLE")
        query(migrated, f"DROP OWNED BY {role} CASCADE")
        query(migrated, f"DROP ROLE {role}")


def test_explain_asks_for_no_report(phase2: str) -> None:
    """The named queries can be compared before phase 3 and after."""
    with pytest.raises(NoRows):
        call_command("pam_explain", "event_by_key", database=phase2)
