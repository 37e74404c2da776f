"""`pam_settings` on a real server: facts, units and limits, what a role does not see, how it ends."""

import psutil
import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from pam.health.settings import NAMES
from pam.postgres import catalog
from pam.postgres.server_counters import read_counters
from pam.postgres.server_machine import this_machine
from pam.postgres.server_settings import parse_size, read_server
from pam.postgres.server_tables import read_tables
from pam.workload import QUERIES
from tests.support.databases import session
from tests.support.servers import ALIAS, server_under_alias
from tests.support.settings import advised, of, told

KB, GB = 1 << 10, 1 << 30


def test_every_advice_has_its_figures_and_its_source(company):
    document = advised(company)
    assert document["notes"] == []
    assert document["server"]["memory"]["memory"] == psutil.virtual_memory().total
    for one in document["advice"]:
        assert one["reason"].endswith("."), one
        has_figures = any(figure.isdigit() for figure in one["reason"])
        assert has_figures or one["status"] == "cannot tell yet" or one["name"] == "jit", one
        assert one["rule"].startswith("https://")
        assert (one["status"] == "change") is bool(one["statements"])
        assert (one["takes_effect"] is None) is (one["statements"] == [])
    text, _ = told(company)
    for one in document["advice"]:
        assert f"{one['name']}{'' if one['subject'] == 'server' else ' of ' + one['subject']}: has {one['has']}" in text
        for statement in one["statements"]:
            assert f"{statement};" in text


def test_nothing_is_executed(company):
    """The same settings and parameters afterwards, and not one write."""
    see = (
        "SELECT (SELECT md5(string_agg(name || setting, ',' ORDER BY name)) FROM pg_settings),"
        " (SELECT md5(string_agg(relname || coalesce(reloptions::text, ''), ',' ORDER BY oid)) FROM pg_class),"
        " (SELECT count(*) FROM pg_db_role_setting)"
    )
    with session(company) as other, other.cursor() as cursor:
        cursor.execute(see)
        before = cursor.fetchone()
        told(company)
        cursor.execute(see)
        assert cursor.fetchone() == before


def test_units_and_limits_are_the_servers(company):
    """Each size in bytes as the server itself computes it from what SHOW says."""
    found = read_server(connections[company], NAMES)
    assert found.unseen == ()
    with connections[company].cursor() as cursor:
        for one in found.settings.values():
            if one.unit in (None, "s", "ms", "min") or one.number < 0:
                continue
            cursor.execute("SELECT pg_size_bytes(current_setting(%s))", [one.name])
            assert cursor.fetchone() == (one.bytes,), one
            assert one.within(1 << 70) == one.most_bytes
            assert one.within(1) == one.least_bytes
            assert parse_size(one.shown) == one.bytes
            if one.context in ("user", "superuser"):
                for limit in (one.least_bytes, one.most_bytes):
                    cursor.execute("SELECT set_config(%s, %s, false)", [one.name, f"{limit >> 10}kB"])
                    cursor.execute("SELECT pg_size_bytes(current_setting(%s))", [one.name])
                    assert cursor.fetchone() == (limit,)
    connections[company].close()


def test_the_counters(company):
    found = read_counters(connections[company])
    with connections[company].cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        (size,) = cursor.fetchone()
    assert abs(found.database_bytes - size) < size // 10
    assert found.largest_table
    assert found.largest_index
    assert found.largest_table.name.startswith("audit_logs_2026_")
    assert found.largest_index.bytes > 0
    assert found.wal_bytes > 0
    assert found.checkpoints_age.total_seconds() > 0


def test_the_machine_is_seen_where_the_server_runs_on_it(company):
    here = this_machine(connections[company])
    assert here
    assert here.memory == psutil.virtual_memory().total


def test_a_memory_that_is_given(company):
    document = advised(company, memory=512 << 20)
    assert document["server"]["memory"]["told_by"] == "as --memory says"
    text, error = told(company, memory=1 << 20)
    assert text == ""
    assert "--memory 1MB is not more than what the server has for shared_buffers alone" in str(error)
    assert f"--database {company} --memory SIZE" in str(error)
    with pytest.raises(CommandError, match="'16' is no size"):
        call_command("pam_settings", "--memory", "16", database=company)


def test_a_hot_table_by_the_servers_own_counters(company):
    """Updates of an indexed column on full pages: each row goes to another page, which 15 does not count."""
    with connections[company].cursor() as cursor:
        for _ in range(4):
            cursor.execute("UPDATE privileged_users SET last_activity = now(), department = department || 'x'")
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT current_setting('server_version_num')::int >= 160000")
        (counted,) = cursor.fetchone()
    found = {one["subject"]: one for one in of(advised(company), "fillfactor")}
    assert found["privileged_users"]["status"] == ("change" if counted else "cannot tell yet")
    if not counted:
        return
    (statement,) = found["privileged_users"]["statements"]
    assert statement == "ALTER TABLE public.privileged_users SET (fillfactor = 90)"
    with connections[company].cursor() as cursor:
        cursor.execute(statement)
    found = {one["subject"]: one for one in of(advised(company), "fillfactor")}
    assert (found["privileged_users"]["status"], found["privileged_users"]["has"]) == ("ok", "90")


def test_an_empty_database(migrated):
    document = advised(migrated)
    assert {one["status"] for one in of(document, "work_mem")} == {"cannot tell yet"}
    assert any("There are no audit events in this database" in note for note in document["notes"])
    assert of(document, "autovacuum_freeze_min_age")[0]["statements"] == []


def test_without_our_tables(database):
    document = advised(database)
    notes = " ".join(document["notes"])
    assert all(name in notes for name in QUERIES)
    assert "SQLSTATE 42P01" in notes
    assert of(document, "autovacuum_freeze_min_age") == []


def test_a_role_that_may_little_hears_what_it_does_not_see(company):
    with connections[company].cursor() as cursor:
        cursor.execute("DROP ROLE IF EXISTS little")
        cursor.execute("CREATE ROLE little")
        cursor.execute("GRANT SELECT ON privileged_users TO little")
    try:
        with connections[company].cursor() as cursor:
            cursor.execute("SET ROLE little")
        notes = " ".join(advised(company)["notes"])
        assert "ALTER SYSTEM is not for this role: a superuser runs it, or GRANT ALTER SYSTEM ON PARAMETER" in notes
        assert "ALTER TABLE is for the owner, which this role is not, of audit_logs, " in notes
        assert "permission denied for table" in notes
        assert "SQLSTATE 42501" in notes
    finally:
        with connections[company].cursor() as cursor:
            cursor.execute("RESET ROLE")
            cursor.execute("DROP OWNED BY little")
            cursor.execute("DROP ROLE little")


def test_a_table_that_was_dropped_meanwhile_and_one_of_the_same_name(company):
    """Tables go by oid: another schema's table of the same name is not looked at, a dropped one is left out."""
    connection = connections[company]
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA other")
        cursor.execute("CREATE TABLE other.audit_logs (id int)")
    relation = catalog.relation(connection, "audit_logs")
    assert relation
    (table,) = read_tables(connection, [relation.oid, 1])
    assert (table.name, table.is_partitioned) == ("audit_logs", True)
    assert {leaf.name.partition(".")[0] for leaf in table.leaves} == {"public"}
    assert all(leaf.is_append_only for leaf in table.leaves)
    with connection.cursor() as cursor:
        cursor.execute("SET search_path = other, public")
    document = advised(company)
    assert of(document, "autovacuum_freeze_min_age") == []
    connection.close()


def test_how_it_ends(django_db_blocker):
    """1 with a finding, here of a server that is started without fsync; 2 when nothing can be told."""
    with django_db_blocker.unblock(), server_under_alias({}) as cluster:
        cluster.execute("ALTER SYSTEM SET track_counts = off")
        cluster.execute("SELECT pg_reload_conf()")
        _, error = told(ALIAS)
        document = advised(ALIAS)
        cluster.stop()
        connections[ALIAS].close()
        text, gone = told(ALIAS)
    assert error is not None
    assert (error.returncode, str(error)) == (1, "2 settings do harm: fsync, track_counts")
    fsync, counts = document["findings"]
    assert (fsync["id"], fsync["severity"]) == ("setting-dangerous", "error")
    assert fsync["cure"].startswith("Not by a statement: the server is started with it")
    assert counts["cure"] == "ALTER SYSTEM SET track_counts = 'on'; SELECT pg_reload_conf();"
    assert gone is not None
    assert (gone.returncode, text) == (2, "")
    assert str(gone).endswith(f"Then look again: python manage.py pam_settings --database {ALIAS}")
