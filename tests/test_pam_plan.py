"""`pam_plan` and the obstacles: all of them at once, each with its cure, and `migrate` refuses on the same list."""

import io
import json
import re
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.utils import timezone

from pam.postgres import catalog
from pam.postgres.errors import LockUnavailable
from pam.postgres.locks import Patience
from pam.postgres.months import Month
from pam.postgres.online_copy import obstacles
from pam.postgres.online_copy import plan as online_plan
from pam.postgres.online_copy.errors import ObstaclesFound
from tests.support.bulk import add_audit_rows
from tests.support.databases import session
from tests.support.months import left_over, partitions

# Of the months that are made ahead, whenever this is run.
NEXT = Month.of(timezone.now()).plus(1).suffix
OBSTACLES = {
    "a view": ("CREATE VIEW their_view AS SELECT id FROM audit_logs", "The view their_view reads it"),
    "a materialized view": ("CREATE MATERIALIZED VIEW mv AS SELECT id FROM audit_logs", "DROP MATERIALIZED VIEW mv"),
    "an incoming foreign key": (
        "CREATE TABLE theirs (event uuid REFERENCES audit_logs (id))",
        "The foreign key theirs_event_fkey of theirs points at it",
    ),
    "a trigger": (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
        " CREATE TRIGGER theirs AFTER INSERT ON audit_logs FOR EACH ROW EXECUTE FUNCTION f()",
        "The trigger theirs would run again",
    ),
    "a policy": ("CREATE POLICY theirs ON audit_logs USING (true)", "The row security policy theirs"),
    "a policy of another table": (
        "CREATE POLICY theirs ON privileged_users USING (EXISTS (SELECT FROM sessions))",
        "The row security policy theirs of privileged_users reads it",
    ),
    "a unique constraint": (
        "ALTER TABLE sessions ADD CONSTRAINT theirs UNIQUE (session_name)",
        "The UNIQUE constraint theirs lacks created_at",
    ),
    "row security": ("ALTER TABLE audit_logs ENABLE ROW LEVEL SECURITY", "Row security is on"),
    "a publication": ("CREATE PUBLICATION theirs FOR TABLE audit_logs", "The publication theirs replicates it"),
    "replica identity": ("ALTER TABLE audit_logs REPLICA IDENTITY FULL", "Its replica identity is not the default"),
    "extended statistics": ("CREATE STATISTICS theirs ON action, result FROM audit_logs", "extended statistics theirs"),
    "a nullable time": ('ALTER TABLE audit_logs ALTER "timestamp" DROP NOT NULL', 'The column "timestamp" may be NULL'),
    "a unique index": ("CREATE UNIQUE INDEX theirs ON audit_logs (request_id)", "The unique index theirs lacks"),
    "a name": (f"CREATE TABLE audit_logs_{NEXT} ()", f'The name "audit_logs_{NEXT}" is taken'),
    "a rule": ("CREATE RULE theirs AS ON INSERT TO audit_logs DO ALSO SELECT 1", "The rule theirs hangs on it"),
    "an unvalidated check": (
        "ALTER TABLE audit_logs ADD CONSTRAINT theirs CHECK (action <> '') NOT VALID",
        "The constraint theirs was never validated",
    ),
    "infinity": (
        "INSERT INTO audit_logs (id, event_type, action, result, timestamp, description)"
        " VALUES (gen_random_uuid(), 'compliance', 'x', 'success', 'infinity', 'y')",
        "1 rows have no month",
    ),
    "a name of a month's index": (
        f"CREATE TABLE theirs (); CREATE VIEW audit_logs_pkey_{NEXT} AS SELECT 1",
        f'ALTER VIEW "public"."audit_logs_pkey_{NEXT}" RENAME TO',
    ),
    "a name of a working table": ("CREATE TABLE audit_logs_menshun_keys ()", '"audit_logs_menshun_keys" is taken'),
    "a deferrable key": (
        "ALTER TABLE sessions ADD CONSTRAINT theirs UNIQUE (id, created_at) DEFERRABLE INITIALLY DEFERRED",
        "The constraint theirs is UNIQUE (id, created_at) DEFERRABLE",
    ),
    "a key with more columns": (
        "ALTER TABLE sessions ADD CONSTRAINT theirs UNIQUE (id, created_at) INCLUDE (user_id)",
        "The constraint theirs is UNIQUE (id, created_at) INCLUDE (user_id)",
    ),
    "a key with storage parameters": (
        "ALTER TABLE sessions ADD CONSTRAINT theirs UNIQUE (id, created_at) WITH (fillfactor = 55)",
        "The constraint theirs is UNIQUE (id, created_at)",
    ),
    "a check of the parent alone": (
        "ALTER TABLE sessions ADD CONSTRAINT theirs CHECK (risk_score >= 0) NO INHERIT",
        "The constraint theirs is CHECK",
    ),
    "an unlogged table": ("ALTER TABLE sessions SET UNLOGGED", "It is UNLOGGED"),
    "a mark of CLUSTER": ("ALTER TABLE sessions CLUSTER ON sessions_pkey", "marked as clustered by sessions_pkey"),
    "an index's statistics": (
        "CREATE INDEX theirs ON sessions (host(source_ip)); ALTER INDEX theirs ALTER COLUMN 1 SET STATISTICS 500",
        "The index theirs has a statistics target",
    ),
    "a grant of somebody else": (
        "GRANT SELECT ON sessions TO pg_monitor WITH GRANT OPTION;"
        " SET ROLE pg_monitor; GRANT SELECT ON sessions TO PUBLIC; RESET ROLE",
        "pg_monitor granted privileges on it",
    ),
    "forced row security": ("ALTER TABLE sessions FORCE ROW LEVEL SECURITY", "Row security is on, or forced"),
    "a column of its row type": ("CREATE TABLE theirs (was sessions)", "A column of theirs has its row type"),
    "columns of its row type": ("CREATE TABLE theirs (were sessions[])", "A column of theirs has its row type"),
    "a serial column": ("ALTER TABLE sessions ADD theirs serial", "The sequence sessions_theirs_seq is owned by it"),
    "an identity column": ("ALTER TABLE sessions ADD theirs int GENERATED ALWAYS AS IDENTITY", "is an identity column"),
    "a function that returns rows": (
        "CREATE FUNCTION theirs() RETURNS SETOF sessions LANGUAGE sql AS 'SELECT * FROM sessions'",
        "The function theirs() uses its row type",
    ),
    "a time before all months": (
        "INSERT INTO audit_logs (id, event_type, action, result, timestamp, description)"
        " VALUES (gen_random_uuid(), 'compliance', 'x', 'success', '0044-03-15 12:00+00 BC', 'y')",
        "1 rows have no month",
    ),
    "more months than locks": (
        "INSERT INTO audit_logs (id, event_type, action, result, timestamp, description)"
        " VALUES (gen_random_uuid(), 'compliance', 'x', 'success', '1900-01-01 00:00+00', 'y')",
        "Raise max_locks_per_transaction",
    ),
    "a child": ("CREATE TABLE child () INHERITS (audit_logs)", "inherits from it"),
}


def planned(alias: str, **options: bool) -> str:
    out = io.StringIO()
    try:
        call_command("pam_plan", database=alias, stdout=out, **options)
    except CommandError as error:
        return out.getvalue() + str(error)
    return out.getvalue()


def test_before_any_of_them_there_is_none(phase2):
    assert "OBSTACLE" not in planned(phase2)


@pytest.mark.parametrize("what", OBSTACLES)
def test_an_obstacle_is_named_and_stops_migrate(phase2, what):
    statement, named = OBSTACLES[what]
    with connections[phase2].cursor() as cursor:
        cursor.execute(statement)
    theirs = left_over(phase2)
    told = planned(phase2)
    assert named in told
    assert "1 obstacles" in told
    with pytest.raises(ObstaclesFound) as refused:
        call_command("migrate", "pam", database=phase2, verbosity=0)
    assert all(f"OBSTACLE: {obstacle}" in told for obstacle in refused.value.obstacles)
    table = catalog.relation(connections[phase2], "sessions" if "sessions" in statement else "audit_logs")
    assert table is not None
    assert not table.is_partitioned
    assert left_over(phase2) == theirs


def test_all_obstacles_at_once(phase2):
    with connections[phase2].cursor() as cursor:
        for what in ("a view", "a trigger", "a policy"):
            cursor.execute(OBSTACLES[what][0])
    told = planned(phase2)
    assert all(OBSTACLES[what][1] in told for what in ("a view", "a trigger", "a policy"))
    assert "3 obstacles" in told


def test_tokens_that_are_there_twice_stop_the_way_back(migrated):
    row = (
        "INSERT INTO sessions"
        " (id, created_at, session_token_hash, user_id, expires_at, authentication_method, source_ip)"
        " SELECT gen_random_uuid(), now() - n * interval '1 hour', repeat('0', 64), u.id, now() + interval '8 hours',"
        " 'mfa', '192.0.2.7' FROM generate_series(1, 2) n, u"
    )
    with connections[migrated].cursor() as cursor:
        cursor.execute(
            "WITH u AS (INSERT INTO privileged_users (id, upn, display_name, source_user_id, source_user_upn)"
            " VALUES (gen_random_uuid(), 'a@b.example', 'a', 'a', 'a@b.example') RETURNING id) SELECT id FROM u"
        )
        cursor.execute(f"WITH u AS (SELECT id FROM privileged_users) {row}")
    with pytest.raises(ObstaclesFound, match=r"session_token_hash.* are there more than once"):
        call_command("migrate", "pam", "0010_phase3_begin", database=migrated, verbosity=0)
    assert partitions(migrated, "sessions") != {}


def test_events_that_are_there_twice_come_with_the_way_past_the_guards(migrated):
    row = (
        "INSERT INTO audit_logs (id, event_type, action, result, timestamp, description)"
        " VALUES (%s, 'compliance', 'x', 'success', now() - %s * interval '40 days', 'y')"
    )
    with connections[migrated].cursor() as cursor:
        for days in (0, 1):
            cursor.execute(row, ["01890a5d-ac96-474b-bcce-b302099a8057", days])
    with pytest.raises(ObstaclesFound) as caught:
        call_command("migrate", "pam", "0010_phase3_begin", database=migrated, verbosity=0)
    text = str(caught.value)
    assert f"Then run it again: python manage.py migrate pam 0010_phase3_begin --database {migrated}" in text
    (query,) = re.findall(r"They are: (SELECT .* > 1)\.", text)
    (script,) = re.findall(r"its owner runs: (BEGIN; .*; COMMIT)\.", text)
    with connections[migrated].cursor() as cursor:
        cursor.execute("SELECT tgrelid::regclass, tgname, tgenabled FROM pg_trigger ORDER BY tgrelid, tgname")
        guards = cursor.fetchall()
        cursor.execute(query)
        ((identity,),) = cursor.fetchall()
        cursor.execute(script.replace("DELETE ...", f"DELETE FROM audit_logs WHERE id = '{identity}'"))
        cursor.execute("SELECT tgrelid::regclass, tgname, tgenabled FROM pg_trigger ORDER BY tgrelid, tgname")
        assert cursor.fetchall() == guards
    call_command("migrate", "pam", "0010_phase3_begin", database=migrated, verbosity=0)


def test_a_read_only_session_is_told_whom_to_ask_and_a_timeout_of_queries_does_not_end_it(phase2):
    with connections[phase2].cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
        assert "This session is read-only" in planned(phase2)
        cursor.execute("SET default_transaction_read_only = off; SET statement_timeout = 50")
        assert "time: about" in planned(phase2)


def test_who_keeps_readers_out_is_named(phase2, monkeypatch):
    monkeypatch.setattr(online_plan, "CALM", Patience(100, 2, 0.01, 0.01))
    with session(phase2) as other, other.cursor() as holding:
        other.autocommit = False
        holding.execute("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE")
        text = planned(phase2)
        assert f"In the way:\n  pid {other.info.backend_pid}" in text
        assert f"Then run it again: python manage.py pam_plan --database {phase2}" in text


def test_a_constraint_that_is_not_enforced(phase2):
    with connections[phase2].cursor() as cursor:
        if connections[phase2].connection.info.server_version < 18_00_00:
            pytest.skip("NOT ENFORCED came with PostgreSQL 18")
        cursor.execute("ALTER TABLE sessions ADD CONSTRAINT theirs CHECK (risk_score >= 0) NOT ENFORCED")
    assert "The constraint theirs is NOT ENFORCED. ALTER TABLE sessions DROP CONSTRAINT theirs" in planned(phase2)


def test_json_and_nothing_to_do(phase2, migrated):
    out = io.StringIO()
    call_command("pam_plan", database=phase2, json=True, stdout=out)
    plans = json.loads(out.getvalue())
    assert [plan["table"] for plan in plans] == ["public.audit_logs", "public.sessions"]
    assert all(plan["steps"] and plan["obstacles"] == [] for plan in plans)
    assert [step["locks"] for step in plans[1]["steps"] if step["name"] == "swap the names"] == [
        ["ACCESS EXCLUSIVE on public.sessions", "ACCESS EXCLUSIVE on public.sessions_menshun_keys"]
    ]
    assert "nothing to be done" in planned(migrated)


def test_a_long_report_on_users_stops_the_conversion_and_nobody_else(phase2, brief):
    """The report holds a lock on the referenced table; a sign-in goes on, and the error names the report."""
    with session(phase2) as report, report.cursor() as reading:
        reading.execute("BEGIN; LOCK TABLE privileged_users IN ROW EXCLUSIVE MODE")
        with pytest.raises(LockUnavailable) as error:
            call_command("migrate", "pam", database=phase2, verbosity=0)
        assert str(report.info.backend_pid) in str(error.value)
        assert "privileged_users" in str(error.value)
    call_command("migrate", "pam", database=phase2, verbosity=0)
    assert left_over(phase2) == []


def test_a_slot_that_nobody_reads(phase2):
    with connections[phase2].cursor() as cursor:
        cursor.execute("SELECT pg_create_physical_replication_slot('menshun_test_slot', true)")
        try:
            told = planned(phase2)
        finally:
            cursor.execute("SELECT pg_drop_replication_slot('menshun_test_slot')")
    assert "The replication slot menshun_test_slot, which nobody reads, keeps" in told
    assert "SELECT pg_drop_replication_slot('menshun_test_slot')" in told
    assert "OBSTACLE" not in planned(phase2)


@pytest.mark.parametrize("table", ["audit_logs", "privileged_users"])
def test_a_long_transaction(phase2, table, monkeypatch):
    """Of the table itself or of one that it references; a young one is none."""
    with session(phase2) as report, report.cursor() as cursor:
        report.autocommit = False
        cursor.execute(f"SELECT count(*) FROM {table}")
        assert "OBSTACLE" not in planned(phase2)
        monkeypatch.setattr(obstacles, "LONG", timedelta(0))
        told = planned(phase2)
        assert f"pg_terminate_backend({report.info.backend_pid})" in told
        assert f"SELECT count(*) FROM {table}" in told
    assert "OBSTACLE" not in planned(phase2)


def test_too_little_disk():
    assert obstacles.of_disk(10_000, 10_000) == obstacles.of_disk(10_000, None) == []
    (found,) = obstacles.of_disk(3 << 30, 1 << 30)
    assert str(found).replace("\xa0", " ").startswith("It needs 3.0 GB of disk, and 1.0 GB are free.")


def test_rows_are_counted_though_nobody_ran_analyze(phase2):
    with connections[phase2].cursor() as cursor:
        cursor.execute("ALTER TABLE audit_logs SET (autovacuum_enabled = false)")
    add_audit_rows(phase2, 2000)
    out = io.StringIO()
    call_command("pam_plan", database=phase2, json=True, stdout=out)
    audit_logs, sessions = json.loads(out.getvalue())
    assert audit_logs["rows"] == 2000
    assert audit_logs["seconds"] > 0
    assert sessions["rows"] == 0
