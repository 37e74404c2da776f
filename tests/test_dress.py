"""What a table wears comes along, there and back; what cannot is an obstacle (test_pam_plan.py). Nothing is lost."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections

from pam.postgres.online_copy.errors import ObstaclesFound
from tests.support.bulk import add_audit_rows
from tests.support.clients import Client
from tests.support.months import BEGIN, CONVERTED, add_sessions, left_over
from tests.support.schema import described

# Of three months, which have the same dress as many.
DAYS = (40, "2026-09-25 13:37:11+00")
ADD = "ALTER TABLE sessions ADD"

TOGETHER = {
    "comments": """
        COMMENT ON TRIGGER pam_refuse_change ON audit_logs IS 'it''s';
        COMMENT ON CONSTRAINT audit_logs_pkey ON audit_logs IS 'theirs';
        COMMENT ON CONSTRAINT fk_sessions_user_id ON sessions IS 'theirs';
        COMMENT ON CONSTRAINT uq_sessions_session_token_hash ON sessions IS 'theirs';
        COMMENT ON INDEX ix_sessions_user_active IS 'theirs';
        COMMENT ON COLUMN sessions.source_ip IS 'theirs';
        COMMENT ON TABLE sessions IS 'theirs';
        ALTER TABLE sessions ADD CONSTRAINT theirs CHECK (risk_score >= 0);
        COMMENT ON CONSTRAINT theirs ON sessions IS 'theirs'""",
    "statistics": """
        ALTER TABLE sessions ALTER source_ip SET STATISTICS 333;
        ALTER TABLE sessions ALTER user_id SET (n_distinct = -0.1, n_distinct_inherited = -0.2)""",
    "storage": """
        ALTER TABLE audit_logs ALTER description SET STORAGE EXTERNAL, ALTER description SET COMPRESSION pglz;
        ALTER TABLE audit_logs SET (fillfactor = 77, autovacuum_enabled = false, toast.autovacuum_enabled = false)""",
    "indexes": """
        CREATE INDEX "their ""odd"" % {} index" ON sessions (source_ip) INCLUDE (created_at) WITH (fillfactor = 55);
        CREATE UNIQUE INDEX ON sessions (source_ip, created_at DESC, id);
        CREATE INDEX ON sessions (host(source_ip) COLLATE "C" text_pattern_ops DESC NULLS LAST) WHERE risk_score > 7;
        CREATE INDEX ON sessions USING hash (user_id);
        CREATE INDEX ON sessions USING brin (created_at);
        ALTER TABLE sessions ADD CONSTRAINT their_key UNIQUE NULLS NOT DISTINCT (created_at, source_ip, id)""",
    "columns": f"""
        {ADD} "their ""odd"" % {{}} column" int, ADD gone int;
        ALTER TABLE sessions DROP gone;
        {ADD} made text GENERATED ALWAYS AS (host(source_ip)) STORED;
        {ADD} at timestamptz NOT NULL DEFAULT clock_timestamp();
        CREATE SEQUENCE numbers; {ADD} number int DEFAULT nextval('numbers');
        CREATE DOMAIN word AS text CHECK (VALUE <> ''); {ADD} a word DEFAULT 'x';
        {ADD} b int[] DEFAULT '{{1,2}}', ADD c point DEFAULT '(1,2)', ADD d json DEFAULT '{{"a": 1}}'""",
    "a foreign key": f"""{ADD} theirs uuid
        REFERENCES privileged_users (id) MATCH FULL ON DELETE SET NULL ON UPDATE CASCADE DEFERRABLE""",
    "grants": "GRANT SELECT, UPDATE (source_ip) ON sessions TO their_role WITH GRANT OPTION",
    "an event trigger": """
        CREATE FUNCTION theirs() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
        CREATE EVENT TRIGGER theirs ON ddl_command_end EXECUTE FUNCTION theirs()""",
}
KEPT = {
    "all that goes together": ";".join(TOGETHER.values()),
    "a privilege that the owner gave up": "REVOKE UPDATE ON sessions FROM CURRENT_USER",
    "an owner without privileges": """
        GRANT CREATE ON SCHEMA public TO their_role; ALTER TABLE sessions OWNER TO their_role;
        REVOKE ALL ON sessions FROM their_role""",
    "default privileges that came later": """
        ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO their_role""",
    "default privileges that take": """
        ALTER DEFAULT PRIVILEGES REVOKE UPDATE ON TABLES FROM CURRENT_USER;
        GRANT SELECT ON sessions TO PUBLIC""",
}


LATE = [
    "GRANT SELECT ON sessions TO their_role",
    "GRANT SELECT (id) ON sessions TO their_role",
    "COMMENT ON COLUMN sessions.source_ip IS 'late'",
    "ALTER TABLE sessions SET (fillfactor = 66)",
    "ALTER TABLE sessions ALTER source_ip SET STATISTICS 77",
]


@pytest.fixture
def filled(phase2: str) -> Iterator[str]:
    """Plain tables with some rows, and a role of somebody else."""
    Client(phase2, "seed").step(0)
    add_audit_rows(phase2, 50, *DAYS)
    add_sessions(phase2, 50, *DAYS)
    run(phase2, "CREATE ROLE their_role")
    yield phase2
    run(phase2, "RESET ROLE; REASSIGN OWNED BY their_role TO CURRENT_USER; DROP OWNED BY their_role")
    run(phase2, "DROP ROLE their_role")


def run(alias: str, statements: str) -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute(statements)


def is_theirs(name: str) -> bool:
    """Whether it is no month and nothing that a conversion has made for itself."""
    return "menshun" not in name and "_20" not in name and "_default" not in name


def worn(alias: str) -> set[tuple[Any, ...]]:
    """What of the schema is the same for a plain table and for a partitioned one: owner, grants, comments, columns."""
    names = ("audit_logs", "sessions")
    return {
        (kind, name, *(what if kind == "column" else ()), comment)
        for kind, name, *what, comment in described(alias)
        if kind in ("class", "column", "constraint", "trigger") and name.split(".")[0] in names and is_theirs(name)
    }


@pytest.mark.parametrize("what", KEPT)
def test_it_comes_along_there_and_back(filled, what):
    run(filled, KEPT[what])
    schema, before = described(filled), worn(filled)
    call_command("migrate", "pam", CONVERTED, database=filled, verbosity=0)
    assert worn(filled) == before
    call_command("migrate", "pam", BEGIN, database=filled, verbosity=0)
    assert described(filled) == schema


def test_tables_in_a_tablespace_stay_there(filled):
    """In-place tablespaces are the server's own means to have one without a folder of its own."""
    run(filled, "SET allow_in_place_tablespaces = on")
    run(filled, "CREATE TABLESPACE their_space LOCATION ''")
    try:
        run(filled, "CREATE INDEX theirs ON sessions (source_ip) TABLESPACE their_space")
        with pytest.raises(ObstaclesFound, match=r"theirs lies in the tablespace their_space, .* in pg_default"):
            call_command("migrate", "pam", CONVERTED, database=filled, verbosity=0)
        run(filled, "DROP INDEX theirs; ALTER TABLE sessions SET TABLESPACE their_space")
        with pytest.raises(ObstaclesFound, match="SET default_tablespace = 'their_space'"):
            call_command("migrate", "pam", CONVERTED, database=filled, verbosity=0)
    finally:
        run(filled, "ALTER TABLE sessions SET TABLESPACE pg_default")
        run(filled, "DROP TABLESPACE their_space")


def test_what_changes_while_it_is_prepared_comes_along(filled, caplog):
    """After each change the copy begins anew; in the end all are there."""
    call_command("pam_partitions", "prepare", database=filled, verbosity=0)
    for number, statement in enumerate(LATE, 1):
        run(filled, statement)
        call_command("pam_partitions", "prepare", database=filled, verbosity=0)
        assert caplog.text.count("sessions: begins anew: somebody changed") == number, statement
    schema, before = described(filled), worn(filled)
    call_command("migrate", "pam", CONVERTED, database=filled, verbosity=0)
    assert caplog.text.count("begins anew") == len(LATE)
    assert worn(filled) == before
    call_command("migrate", "pam", BEGIN, database=filled, verbosity=0)
    assert described(filled) == [row for row in schema if is_theirs(row[1])]


def test_a_view_that_is_made_while_it_is_prepared_stops_the_swap_and_the_copy_is_kept(filled, caplog):
    call_command("pam_partitions", "prepare", database=filled, verbosity=0)
    run(filled, "CREATE VIEW theirs AS SELECT id FROM sessions")
    with pytest.raises(ObstaclesFound, match="The view theirs reads it"):
        call_command("migrate", "pam", CONVERTED, database=filled, verbosity=0)
    run(filled, "SELECT FROM theirs; DROP VIEW theirs")
    call_command("migrate", "pam", CONVERTED, database=filled, verbosity=0)
    assert "begins anew" not in caplog.text
    assert left_over(filled) == []
