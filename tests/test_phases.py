"""The phases as a user runs them: forwards, back, each on its own, with stock `migrate`."""

import io
import re
from collections.abc import Iterator

import pytest
import sqlparse
from django.core.management import call_command
from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from pytest_django import DjangoDbBlocker

from pam.health.schema import RUN_AGAIN
from pam.postgres.errors import MenshunError
from tests.support.databases import database_name, throwaway_database
from tests.support.document import INDEXES

UNIQUE = {
    "uq_credential_rotations_open_credential",
    "uq_role_assignments_active_user",
    "uq_role_assignments_active_identity",
}
# They need phase 2's extension, and go back with it.
SEARCH = {
    "ix_privileged_users_search_gin",
    "ix_credentials_search_gin",
    "ix_report_account_risk_search_gin",
}


def migrate(alias: str, *target: str) -> str:
    out = io.StringIO()
    call_command("migrate", *target, database=alias, stdout=out, verbosity=1)
    return out.getvalue()


def objects(alias: str) -> set[tuple[str, str]]:
    """Everything in the database that is not the server's own: relations, functions, types, constraints, extensions."""
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT 'relation', relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " UNION ALL SELECT 'function', proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
            " UNION ALL SELECT 'constraint', conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace"
            " UNION ALL SELECT 'trigger', tgname FROM pg_trigger WHERE NOT tgisinternal"
            " UNION ALL SELECT 'statistics', stxname FROM pg_statistic_ext"
            " UNION ALL SELECT 'extension', extname FROM pg_extension WHERE extname <> 'plpgsql'"
        )
        return set(cursor.fetchall())


def names(found: set[tuple[str, str]], kind: str) -> set[str]:
    return {name for what, name in found if what == kind}


def test_back_to_phase2_begin_takes_exactly_phase_2(migrated):
    full = objects(migrated)
    migrate(migrated, "pam", "0002_phase2_begin")
    gone = full - objects(migrated)
    months = re.compile(r"_(\d{4}_\d{2}|default)$")
    assert {months.sub("", name) for name in names(gone, "relation")} == set(INDEXES) | UNIQUE | SEARCH
    assert names(gone, "extension") == {"pg_trgm"}
    assert names(gone, "constraint") | names(gone, "trigger") == set()
    migrate(migrated)
    assert objects(migrated) == full


@pytest.fixture(scope="module")
def apps_template(django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The name of a database with what the apps of Django made, and nothing of ours, to be copied."""
    with django_db_blocker.unblock(), throwaway_database("apps_template") as alias:
        for app in ("contenttypes", "auth", "admin", "sessions"):
            migrate(alias, app)
        connections[alias].close()
        yield database_name(alias)


@pytest.fixture
def apps(django_db_blocker: DjangoDbBlocker, apps_template: str) -> Iterator[str]:
    """The alias of a throw-away database with what the apps of Django made."""
    with django_db_blocker.unblock(), throwaway_database("apps", apps_template) as alias:
        yield alias


def test_zero_leaves_nothing_of_ours(apps):
    before = objects(apps)
    migrate(apps, "pam")
    assert objects(apps) > before
    migrate(apps, "pam", "zero")
    assert objects(apps) == before
    with connections[apps].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM django_migrations WHERE app = 'pam'")
        assert cursor.fetchone() == (0,)


# What a single stop leaves does not depend on the server's version, nor what one inside phase 3 leaves there.
SINGLE = ("0001", "0004", "0011", "0012", "0013", "0014", "0015", "0020", "0021", "0022", "0023", "0024", "0025")


@pytest.mark.parametrize(
    "stops",
    [
        *(pytest.param((stop,), marks=pytest.mark.once) for stop in SINGLE),
        ("0090",),
        ("0095", "0020"),
        ("0095", "0002"),
        ("0095", "0010"),
        pytest.param(("0095", "0011"), marks=pytest.mark.once),
        pytest.param(("0095", "0013"), marks=pytest.mark.once),
    ],
    ids=" then ".join,
)
def test_zero_from_everywhere(apps, stops):
    """Each phase there, missing, or half done; phase 3 without phase 2 as well."""
    before = objects(apps)
    for stop in stops:
        migrate(apps, "pam", stop)
    migrate(apps, "pam", "zero")
    assert objects(apps) == before


def test_phases_are_branches(migrated):
    """Phase 3 hangs off phase 1 beside phase 2, and either goes back alone."""
    graph = MigrationExecutor(connections[migrated]).loader.graph
    begin, join = ("pam", "0010_phase3_begin"), ("pam", "0095_all_phases")
    forwards = [name for app, name in graph.forwards_plan(join) if app == "pam"]
    assert forwards.index("0090_phase2_end") < forwards.index("0010_phase3_begin"), "phase 2 runs before phase 3"
    back2 = [name for app, name in graph.backwards_plan(("pam", "0003_phase2_trigram_extension")) if app == "pam"]
    back3 = [name for app, name in graph.backwards_plan(begin) if app == "pam"]
    assert not [name for name in back2 if "phase3" in name]
    assert not [name for name in back3 if "phase2" in name]
    of_no_phase = {"0020_size_snapshots", "0021_duty_permissions", "0022_list_indexes", "0025_rotation_list_index"}
    assert not of_no_phase & {*back2, *back3}, "sizes, permissions and the indexes of lists belong to no phase"
    assert "0023_search_indexes" in back2, "what is searched by trigrams needs their extension"
    assert "0024_report_search_index" in {*back2} & {*back3}, "the report's search needs the extension and the report"
    lists = [name for app, name in graph.backwards_plan(("pam", "0022_list_indexes")) if app == "pam"]
    assert not [name for name in lists if "phase" in name.removesuffix("all_phases")], "and they go back alone"
    assert all(("pam", before) in graph.node_map["pam", name].parents for name, (before, _) in RUN_AGAIN.items())


def test_the_second_of_two_runs_waits_and_then_has_nothing_to_do(migrated):
    """`migrate` holds the advisory lock while it works: its own output is the proof that it works under it."""
    migrate(migrated, "pam", "0002_phase2_begin")
    with connections[migrated].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
        assert cursor.fetchone() == (0,), "the lock is given back at the end"
    assert "0004_phase2_advanced_indexes" in migrate(migrated)
    assert "No migrations to apply" in migrate(migrated)


def test_a_role_that_may_not_change_the_schema_is_told_so(migrated):
    """In a sentence, when an index that is there is held against the wanted one."""
    call_command("migrate", "pam", "0021_duty_permissions", database=migrated, fake=True, verbosity=0)
    with connections[migrated].cursor() as cursor:
        cursor.execute("CREATE ROLE clerk; GRANT ALL ON ALL TABLES IN SCHEMA public TO clerk; SET ROLE clerk")
        try:
            with pytest.raises(MenshunError, match=r"(?s)denied for schema public.*SQLSTATE 42501.*run it again"):
                migrate(migrated)
        finally:
            cursor.execute("RESET ROLE; DROP OWNED BY clerk; DROP ROLE clerk")


def test_sqlmigrate_run_by_hand_gives_the_same_schema(migrated, database):
    with connections[database].cursor() as cursor:
        for name in (
            "0001_phase1_initial",
            "0003_phase2_trigram_extension",
            "0004_phase2_advanced_indexes",
            "0005_phase2_unique_constraints",
            "0022_list_indexes",
            "0023_search_indexes",
            "0025_rotation_list_index",
            "0011_phase3_audit_logs_by_month",
            "0012_phase3_sessions_by_month",
            "0013_phase3_extended_statistics",
            "0014_phase3_reporting_views",
            "0015_phase3_report_indexes",
            "0024_report_search_index",
            "0020_size_snapshots",
        ):
            out = io.StringIO()
            call_command("sqlmigrate", "pam", name, database=database, stdout=out)
            for statement in statements(out.getvalue()):
                cursor.execute(statement)
    ours = {(kind, name) for kind, name in objects(migrated) if not name.startswith(("django_", "auth_", "axes_"))}
    assert objects(database) == ours


def statements(script: str) -> list[str]:
    """The statements of a script as psql would send them, one by one."""
    return [text for text in sqlparse.split(script) if sqlparse.format(text, strip_comments=True).strip(" ;\n")]


@pytest.mark.django_db
@pytest.mark.parametrize("command", ["makemigrations", "pgmakemigrations"])
def test_models_and_migrations_agree(command):
    out = io.StringIO()
    call_command(command, check=True, dry_run=True, stdout=out)
    assert "No changes detected" in out.getvalue()
