"""`pam_indexes` on the real server: each fault made by hand is found by name, and nothing on a healthy database."""

from typing import Any

from django.core.management import call_command
from django.db import connections
from django.test import override_settings

from pam.postgres import catalog
from pam.postgres.sql import query
from pam.workload import QUERIES
from tests.support.databases import database_name, session
from tests.support.indexes import invalidate
from tests.support.pam_indexes import document, facts, found, ran, run, scan

TOO_YOUNG = {"company": "counters-too-young"}


def test_a_healthy_database_has_no_finding_but_young_counters(company):
    text, error, code = ran(company)
    assert found(company) == TOO_YOUNG
    assert (code, error) == (1, "1 findings about indexes, each named above with its cure.")
    assert text.splitlines()[0].split() == ["index", "table", "size", "scans", "last", "scan", "bloat", "for"]
    assert "python manage.py pam_indexes --database company" in text


def test_duplicate_prefix_and_invalid_made_by_hand(company):
    run(
        company,
        "CREATE INDEX by_hand_same ON audit_logs (actor_upn, timestamp)",
        "CREATE INDEX by_hand_prefix ON credentials (expires_at)",
        "CREATE INDEX by_hand_month ON audit_logs_2026_11 (session_id)",
        "CREATE INDEX by_hand_other ON credentials (expires_at DESC)",
        "CREATE INDEX by_hand_some ON credentials (expires_at) WHERE is_deleted",
        "CREATE INDEX by_hand_broken ON credentials (name)",
        'CREATE INDEX "by hand gin" ON audit_logs USING gin (compliance_frameworks)',
    )
    invalidate(company, "by_hand_broken")
    assert found(company) == {
        **TOO_YOUNG,
        "public.by_hand_same": "index-duplicate",
        "public.by_hand_prefix": "index-prefix",
        "public.by_hand_month": "index-prefix",
        "public.by_hand_broken": "index-invalid",
        'public."by hand gin"': "index-duplicate",
    }


def test_the_cures_work(company):
    run(
        company,
        "CREATE INDEX by_hand_prefix ON credentials (expires_at)",
        "CREATE INDEX by_hand_broken ON sessions (request_count)",
    )
    invalidate(company, "sessions_2026_11_request_count_idx")
    cures = {one["subject"]: one["cure"] for one in document(company)["findings"]}
    assert found(company)["public.by_hand_broken"] == "index-invalid"
    with session(company) as other, other.cursor() as cursor:
        for index in ("public.by_hand_prefix", "public.by_hand_broken"):
            # As psql takes it: a statement, and a comment.
            cursor.execute(cures[index])
            assert index not in found(company)
        cursor.execute(cures["public.by_hand_prefix"].split("it was: ")[1])
    assert found(company)["public.by_hand_prefix"] == "index-prefix"


@override_settings(PAM_UNUSED_INDEX_DAYS=0)
def test_what_holds_a_constraint_or_serves_a_named_query_is_never_proposed(company):
    """With no scan at all anywhere, and every age allowed, all the others are proposed and none of these."""
    run(
        company,
        "CREATE UNIQUE INDEX by_hand_unique ON credentials (id, name)",
        "ALTER TABLE credentials ADD CONSTRAINT by_hand_one EXCLUDE USING btree (id WITH =)",
        "CREATE UNIQUE INDEX by_hand_identity ON directory_roles (id)",
        "ALTER TABLE directory_roles REPLICA IDENTITY USING INDEX by_hand_identity",
    )
    proposed = found(company)
    indexes = document(company)["indexes"]
    assert {one["index"] for one in indexes if not one["for"]} == proposed.keys()
    assert set(proposed.values()) == {"index-unused"}
    named = {f"public.{name}" for query in QUERIES.values() for name in query.indexes}
    assert len(named & {one["index"] for one in indexes}) == len(named)
    assert not named & proposed.keys()
    lists = {name for name in (one["index"] for one in indexes) if "_list" in name} | {
        "public.ix_credentials_search_gin"
    }
    assert len(lists) == 27
    assert not lists & proposed.keys()
    keep = run(
        company,
        "SELECT format('%I.%I', 'public', i.relname) FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid"
        " WHERE i.relnamespace = 'public'::regnamespace AND (x.indisunique OR x.indisexclusion OR x.indisreplident)",
    )
    assert not {name for (name,) in keep} & proposed.keys()
    assert "public.ix_role_assignments_service_active" not in proposed
    assert facts(company, "public.by_hand_identity")["for"] == ["constraint", "replica identity"]


@override_settings(PAM_UNUSED_INDEX_DAYS=0)
def test_partitions_are_rolled_up(company):
    name = "public.ix_audit_logs_retention"
    assert found(company)[name] == "index-unused"
    for month in ("audit_logs_2026_10", "audit_logs_2026_11", "audit_logs_2026_11"):
        scan(company, f"SELECT count(*) FROM {month} WHERE retention_date > '2026-01-01'")
    ((parts, scans, size),) = run(
        company,
        "SELECT count(*), sum(s.idx_scan), sum(pg_relation_size(s.indexrelid))"
        " FROM pg_inherits i JOIN pg_stat_user_indexes s ON s.indexrelid = i.inhrelid"
        " WHERE i.inhparent = 'ix_audit_logs_retention'::regclass",
    )
    told = facts(company, name)
    assert (told["scans"], told["bytes"]) == (scans, size)
    assert scans >= 3  # the planner looks at the ends of an index too
    assert parts > 3
    assert name not in found(company)
    ((version,),) = run(company, "SELECT current_setting('server_version_num')::int")
    assert (told["last_scan"] is not None) is (version >= 160_000)


def test_reset_just_now_is_said(company):
    run(company, "SELECT pg_stat_reset()")
    text, _, _ = ran(company)
    assert "WARNING counters-too-young: company: somebody reset its counters at 20" in text
    assert "0 days ago, and 30 are wanted (PAM_UNUSED_INDEX_DAYS); so no index is called unused" in text


def test_a_server_that_does_not_count_says_so(company):
    run(company, f'ALTER DATABASE "{database_name(company)}" SET track_counts = off')
    connections[company].close()
    with override_settings(PAM_UNUSED_INDEX_DAYS=0):
        assert found(company) == TOO_YOUNG
        assert "it counts nothing (track_counts is off)" in ran(company)[0]


def test_second_schema_with_tables_of_the_same_names(company):
    run(
        company,
        "CREATE SCHEMA twin",
        "CREATE TABLE twin.credentials (LIKE public.credentials INCLUDING INDEXES)",
        "CREATE INDEX by_hand ON twin.credentials (expires_at)",
    )
    assert found(company) == TOO_YOUNG
    assert not [one for one in document(company)["indexes"] if not one["index"].startswith("public.")]
    run(company, "SET search_path = twin")
    assert found(company) == {**TOO_YOUNG, "twin.by_hand": "index-prefix"}
    assert {one["table"] for one in document(company)["indexes"]} == {"credentials"}
    assert "Not looked at: there is no table audit_logs in this session's search_path." in ran(company)[0]


def test_dropped_between_two_look_ups(company, monkeypatch):
    run(company, "CREATE INDEX by_hand ON credentials (expires_at)")
    look_up = catalog.index

    def after_a_drop(connection: Any, schema: str, name: str) -> catalog.Index | None:
        with session(company) as other, other.cursor() as cursor:
            cursor.execute("DROP INDEX IF EXISTS by_hand; DROP TABLE IF EXISTS directory_role_conflicts")
        return look_up(connection, schema, name)

    monkeypatch.setattr(catalog, "index", after_a_drop)
    told = document(company)
    assert [one["id"] for one in told["findings"]] == ["counters-too-young"]
    assert not [one for one in told["indexes"] if "by_hand" in one["index"] or "conflicts" in one["index"]]


def test_without_tables_it_cannot_tell(database):
    text, error, code = ran(database)
    assert (text, code) == ("", 2)
    assert error.endswith("python manage.py showmigrations pam --database throwaway")


def test_it_cannot_tell_while_somebody_has_a_table_to_himself(company, monkeypatch):
    monkeypatch.setattr("pam.monitoring.index_report.TIMEOUT_MS", 200)
    with session(company) as other, other.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE credentials; REINDEX TABLE credentials")
        _, error, code = ran(company)
    assert code == 2
    assert "(SQLSTATE 57014).\nTry again: python manage.py pam_indexes --database company" in error


def test_age_of_an_index_is_told_by_the_journal_of_migrations(database):
    """Made by a migration: not after its entry. Made anew by a way back, or by hand: nobody knows."""
    call_command("migrate", database=database, verbosity=0)
    ((last,),) = run(database, "SELECT max(applied) FROM django_migrations")
    before = {one["index"]: one["made_before"] for one in document(database)["indexes"]}
    assert None not in before.values()
    assert max(before.values()) <= last.isoformat()
    call_command("migrate", "pam", "0011_phase3_audit_logs_by_month", database=database, verbosity=0)
    run(database, "CREATE INDEX by_hand ON credentials (access_restrictions)")
    with override_settings(PAM_UNUSED_INDEX_DAYS=0):
        after = {one["index"]: one["made_before"] for one in document(database)["indexes"]}
        assert "or since it was made" in next(
            one["evidence"] for one in document(database)["findings"] if one["subject"] == "public.by_hand"
        )
    unknown = {name for name, made in after.items() if made is None}
    assert unknown == {"public.by_hand", *(name for name in after if "sessions" in name)}
    assert all(after[name] == before[name] for name in after.keys() - unknown)


def test_the_server_need_not_compile_the_look_up(company):
    """To compile it takes half a second, where it is done; the server does so from this cost on."""
    with connections[company].cursor() as cursor:
        cursor.execute("SELECT array_agg(oid) FROM pg_class WHERE relname IN ('audit_logs', 'sessions', 'credentials')")
        (tables,) = cursor.fetchone()
        cursor.execute("SELECT setting::float FROM pg_settings WHERE name = 'jit_above_cost'")
        (limit,) = cursor.fetchone()
        cursor.execute(f"EXPLAIN (FORMAT JSON) {query('index_usage', 'indexes')}", {"tables": tables})
        ((plan,),) = cursor.fetchone()
    assert plan["Plan"]["Total Cost"] < limit
