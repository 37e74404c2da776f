"""`manage.py pam_status` as its user runs it: what it prints, its exit codes, and what it does when it cannot tell."""

import io
import json
import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.test.utils import CaptureQueriesContext

from pam.checks import check_health
from pam.monitoring import examine as examining
from pam.monitoring.examine import examine
from pam.partitions.tables import tables
from pam.postgres import monthly
from pam.postgres.months import Month, months
from tests.support.databases import session
from tests.support.servers import ALIAS, DATABASE, server_under_alias
from tests.support.standby import Standby
from tests.support.threads import until

NOW = datetime(2026, 8, 17, 13, 37, 11, tzinfo=UTC)


def status(alias: str, **options: bool) -> tuple[int, str]:
    """The exit code, and what is printed."""
    out = io.StringIO()
    try:
        call_command("pam_status", database=alias, stdout=out, **options)
    except CommandError as error:
        return error.returncode, f"{out.getvalue()}{error}"
    return 0, out.getvalue()


def found(alias: str, now: datetime = NOW) -> dict[str, str]:
    """The ids that are found, and the subject of each."""
    return {finding.id: finding.subject for finding in examine(connections[alias], now).findings}


def test_well(migrated):
    code, output = status(migrated)
    assert code == 0
    assert [line.split("  ")[0] for line in output.splitlines()[:3]] == ["phase 1", "phase 2", "phase 3"]
    assert "public.sessions: partitioned, 5 months, 4 ahead" in output
    assert output.splitlines()[-1] == "well"


def test_findings_come_with_their_cures_and_exit_code_1(migrated):
    with connections[migrated].cursor() as cursor:
        cursor.execute("DROP INDEX ix_credentials_expiry_partial")
    code, output = status(migrated)
    assert code == 1
    assert "WARNING index-missing: public.credentials.ix_credentials_expiry_partial: 0004_phase2_advanced" in output
    assert "Do: python manage.py migrate --fake pam 0003_phase2_trigram_extension --database" in output
    assert output.endswith("1 findings")


def test_json(migrated):
    with connections[migrated].cursor() as cursor:
        cursor.execute("ALTER TABLE credentials SET (autovacuum_enabled = false)")
    code, output = status(migrated, json=True)
    document = json.loads(output.removesuffix("1 findings"))
    assert code == 1
    assert not document["well"]
    assert [phase["state"] for phase in document["phases"]] == ["applied"] * 3
    assert [(one["id"], one["severity"], one["subject"]) for one in document["findings"]] == [
        ("autovacuum-off", "warning", "public.credentials")
    ]
    assert len(document["tables"][0]["partitions"]) == 6


def test_indexes_of_no_phase_that_were_begun(migrated):
    """As when the building of the lists' indexes was killed, and nobody ran it again."""
    call_command("migrate", "pam", "0021_duty_permissions", database=migrated, verbosity=0, fake=True)
    with connections[migrated].cursor() as cursor:
        cursor.execute("DROP INDEX ix_audit_logs_list_type")
    code, output = status(migrated)
    assert code == 1
    assert "WARNING migration-half-applied: 0022_list_indexes: it is not recorded as applied, and 24 of 25" in output
    assert f"Do: python manage.py migrate pam 0022_list_indexes --database {migrated}" in output
    assert check_health([migrated]) == []


def test_nothing_is_applied(database):
    code, output = status(database)
    assert code == 1
    assert "ERROR not-migrated" in output
    assert f"Do: python manage.py migrate --database {database}" in output
    assert check_health([database]) == [], "what the next migrate cures is no news before it"


def test_a_phase_that_was_taken_back_is_no_fault(migrated):
    call_command("migrate", "pam", "0002_phase2_begin", database=migrated, verbosity=0)
    code, output = status(migrated)
    assert code == 0
    assert "phase 2  not applied" in output


def test_a_phase_that_was_interrupted(migrated):
    call_command("migrate", "pam", "0002_phase2_begin", database=migrated, verbosity=0)
    with connections[migrated].cursor() as cursor:
        cursor.execute("CREATE INDEX ix_audit_logs_compliance_gin ON audit_logs USING gin (compliance_frameworks)")
    code, output = status(migrated)
    assert code == 1
    assert "0004_phase2_advanced_indexes is not recorded as applied, and 1 of 17 parts of it are there" in output
    assert f"Or take it back: python manage.py migrate pam 0002_phase2_begin --database {migrated}" in output
    call_command("migrate", database=migrated, verbosity=0)
    assert status(migrated)[0] == 0


def test_a_migration_that_was_only_recorded(phase2):
    call_command("migrate", "pam", "0011_phase3_audit_logs_by_month", fake=True, database=phase2, verbosity=0)
    assert found(phase2) == {
        "table-different": "public.audit_logs.audit_logs",
        "constraint-different": "public.audit_logs.audit_logs_pkey",
        "index-different": "public.audit_logs.audit_logs_pkey",
        "phase-unfinished": "phase 3",
    }


def test_a_conversion_under_way(migrated):
    call_command("pam_partitions", "prepare", back=True, database=migrated, verbosity=0, stdout=io.StringIO())
    assert set(found(migrated, datetime.now(UTC))) == {"conversion-unfinished"}


def test_a_locked_table_is_not_waited_for(migrated, monkeypatch):
    monkeypatch.setattr(examining, "LONGEST_MS", 50)
    with session(migrated) as other, other.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE audit_logs IN ACCESS EXCLUSIVE MODE")
        code, output = status(migrated)
        assert code == 2
        assert output.startswith("It could not be told: the server said: canceling statement due to statement timeout")
        assert output.endswith(f"python manage.py pam_status --database {migrated}")
        assert [warning.id for warning in check_health([migrated])] == ["pam.not-examined"]


def test_a_server_that_is_not_there(database):
    connections[database].close()
    before = connections[database].settings_dict
    connections[database].settings_dict = {**before, "NAME": "nowhere"}
    try:
        code, output = status(database)
    finally:
        connections[database].settings_dict = before
    assert code == 2
    assert "nowhere" in output
    assert "SQLSTATE" not in output
    assert output.endswith(f"python manage.py pam_status --database {database}")


def test_a_second_schema_with_the_same_names(migrated):
    """Only the tables that the session sees are looked at."""
    with connections[migrated].cursor() as cursor:
        cursor.execute("CREATE SCHEMA other; CREATE TABLE other.audit_logs (id int); CREATE TABLE other.sessions ()")
        cursor.execute("CREATE INDEX ix_audit_logs_retention ON other.audit_logs (id)")
        cursor.execute("UPDATE pg_index SET indisvalid = false WHERE indrelid = 'other.audit_logs'::regclass")
    assert status(migrated)[0] == 0


def test_a_schema_of_its_own_beside_the_extension(database):
    connection = connections[database]
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA menshun; CREATE SCHEMA extensions; CREATE EXTENSION pg_trgm SCHEMA extensions")
        cursor.execute(f"ALTER DATABASE {connection.settings_dict['NAME']} SET search_path = menshun, extensions")
    connection.close()
    call_command("migrate", "pam", database=database, verbosity=0)
    assert status(database)[0] == 0
    with connection.cursor() as cursor:
        cursor.execute("SET search_path = menshun")
    assert status(database)[0] == 0, "the operators are now named with their schema"


def test_it_asks_as_often_for_84_months_as_for_5(migrated):
    connection = connections[migrated]
    with CaptureQueriesContext(connection) as few:
        examine(connection, NOW)
    first = Month(2020, 1)
    for table in tables(migrated):
        for month in months(first, first.plus(78)):
            monthly.add_month(table.connection, table.move, month)
    with CaptureQueriesContext(connection) as many:
        assert len(examine(connection, NOW).months[0].partitions) > 84
    assert len(many) == len(few)


@pytest.mark.parametrize("state", ["idle in transaction", "active"])
def test_a_transaction_that_lasts(migrated, state):
    now = datetime.now(UTC)
    with session(migrated) as other, other.cursor() as cursor:
        cursor.execute("BEGIN; SELECT 1 AS theirs")
        subject = f"pid {other.info.backend_pid}"
        assert "transaction-idle" not in found(migrated, now)
        later = now + timedelta(minutes=11) if state != "active" else now + timedelta(minutes=61)
        if state == "active":
            with session(migrated) as holder, holder.cursor() as lock:
                lock.execute("SELECT pg_advisory_lock(7)")
                thread = threading.Thread(target=lambda: cursor.execute("SELECT pg_advisory_lock(7)"))
                thread.start()
                until(lambda: found(migrated, later).get("transaction-long") == subject, "it waits for a lock")
            thread.join()
        else:
            assert found(migrated, later)["transaction-idle"] == subject


def test_statistics(migrated):
    """Never gathered, outdated, old; each for a table and for the whole of a partitioned one."""
    first = examine(connections[migrated], NOW).months[0].partitions[0].month
    assert first is not None
    with connections[migrated].cursor() as cursor:
        cursor.execute("ALTER TABLE privileged_users SET (autovacuum_enabled = false)")
        cursor.execute(
            "INSERT INTO privileged_users (id, upn, display_name, source_user_id, source_user_upn)"
            " SELECT gen_random_uuid(), n || '@contoso.example', 'n', n, n || '@contoso.example'"
            " FROM generate_series(1, 1500) n"
        )
        cursor.execute("SELECT pg_stat_force_next_flush()")
        assert found(migrated)["never-analyzed"] == "public.privileged_users"
        cursor.execute("ANALYZE privileged_users")
        assert "never-analyzed" not in found(migrated)
        cursor.execute("UPDATE privileged_users SET display_name = 'm'")
        cursor.execute("SELECT pg_stat_force_next_flush()")
        assert found(migrated)["statistics-outdated"] == "public.privileged_users"
        cursor.execute("ANALYZE privileged_users; UPDATE privileged_users SET display_name = 'o' WHERE upn < '2'")
        cursor.execute("SELECT pg_stat_force_next_flush()")
        later = datetime.now(UTC) + timedelta(days=31)
        assert "statistics-outdated" not in found(migrated)
        assert found(migrated, later)["statistics-old"] == "public.privileged_users"


def test_counters_that_were_just_reset_are_no_fault(company):
    with connections[company].cursor() as cursor:
        cursor.execute("SELECT pg_stat_reset()")
    assert not {"never-analyzed", "statistics-old", "statistics-outdated"} & set(found(company))


@pytest.fixture
def stranger(migrated):
    """A role that may read the tables and nothing else; the alias is its while the test lasts."""
    connection = connections[migrated]
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE menshun_stranger; GRANT SELECT ON ALL TABLES IN SCHEMA public TO menshun_stranger")
    yield migrated
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE; REASSIGN OWNED BY menshun_stranger TO CURRENT_USER")
        cursor.execute("DROP OWNED BY menshun_stranger; DROP ROLE menshun_stranger")


def test_a_role_that_may_only_read(stranger):
    """It sees what it may, and a line says what it could not."""
    with session(stranger) as other, other.cursor() as cursor:
        cursor.execute("BEGIN; SELECT 1")
        with connections[stranger].cursor() as mine:
            mine.execute("SET ROLE menshun_stranger")
        code, output = status(stranger)
    assert code == 1
    assert "which is not in pg_read_all_stats: long transactions among them were not looked for" in output
    assert "WARNING table-not-owned: public.credentials: it belongs to" in output


def test_a_role_that_may_not_read(stranger):
    with connections[stranger].cursor() as cursor:
        cursor.execute("REVOKE SELECT ON credentials FROM menshun_stranger; SET ROLE menshun_stranger")
    code, output = status(stranger)
    assert code == 1
    assert "not seen: This role may not read public.credentials" in output


def test_a_table_given_away(stranger):
    with connections[stranger].cursor() as cursor:
        cursor.execute("ALTER TABLE credentials OWNER TO menshun_stranger")
        assert "table-not-owned" not in found(stranger), "a superuser may act as everybody"
        cursor.execute("GRANT USAGE, CREATE ON SCHEMA public TO menshun_stranger; CREATE ROLE menshun_other")
        cursor.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO menshun_other; SET ROLE menshun_other")
        try:
            subjects = [
                one.subject for one in examine(connections[stranger], NOW).findings if one.id == "table-not-owned"
            ]
        finally:
            cursor.execute("RESET ROLE; DROP OWNED BY menshun_other; DROP ROLE menshun_other")
    assert "public.credentials" in subjects


def test_slots_and_prepared_transactions_and_old_ids(django_db_blocker):
    options: dict[str, str | int] = {
        "max_prepared_transactions": 2,
        "autovacuum_freeze_max_age": 100_000,
        "autovacuum": "off",
    }
    with django_db_blocker.unblock(), server_under_alias(options):
        call_command("migrate", database=ALIAS, verbosity=0)
        now = datetime.now(UTC)
        assert set(found(ALIAS, now)) == {"autovacuum-off"}
        with connections[ALIAS].cursor() as cursor:
            cursor.execute("SELECT pg_create_physical_replication_slot('forgotten', true)")
            assert found(ALIAS, now)["slot-inactive"] == "forgotten"
            cursor.execute("SELECT pg_drop_replication_slot('forgotten')")
        with session(ALIAS) as other, other.cursor() as cursor:
            cursor.execute("BEGIN; CREATE TABLE theirs (); PREPARE TRANSACTION 'it''s theirs'")
        later = examine(connections[ALIAS], now + timedelta(hours=2)).findings
        assert [one.cure for one in later if one.id == "transaction-prepared"] == ["ROLLBACK PREPARED 'it''s theirs'"]
        with connections[ALIAS].cursor() as cursor:
            cursor.execute("CREATE TEMPORARY TABLE spent (n int)")
            # A block with an exception clause that writes is a transaction with an id of its own.
            cursor.execute(
                "DO $$ BEGIN FOR n IN 1..160000 LOOP BEGIN INSERT INTO spent VALUES (n);"
                " EXCEPTION WHEN division_by_zero THEN NULL; END; END LOOP; END $$"
            )
            assert found(ALIAS, now)["transaction-ids-old"] == "the database"


def test_a_slot_whose_wal_is_lost(django_db_blocker):
    options = {"max_slot_wal_keep_size": "1MB", "max_wal_size": "32MB", "min_wal_size": "32MB"}
    with django_db_blocker.unblock(), server_under_alias(options):
        with connections[ALIAS].cursor() as cursor:
            cursor.execute("SELECT pg_create_physical_replication_slot('late', true)")
            cursor.execute("CREATE TABLE filled (text text)")
            for _ in range(4):
                cursor.execute("INSERT INTO filled SELECT repeat(md5(n::text), 100) FROM generate_series(1, 20000) n")
                cursor.execute("SELECT pg_switch_wal()")
                cursor.execute("CHECKPOINT")
        assert found(ALIAS)["slot-lost"] == "late"


def test_on_a_standby(django_db_blocker):
    with django_db_blocker.unblock(), server_under_alias({}) as cluster:
        call_command("migrate", database=ALIAS, verbosity=0)
        with Standby(cluster) as standby:
            connections[ALIAS].close()
            before = connections.databases[ALIAS]
            connections.databases[ALIAS] = {**before, "HOST": standby.host, "PORT": str(standby.port)}
            connections[ALIAS].settings_dict = connections.databases[ALIAS]
            assert connections.databases[ALIAS]["NAME"] == DATABASE
            assert examine(connections[ALIAS], datetime.now(UTC)).server.database.is_standby
            assert status(ALIAS)[0] == 0
            connections[ALIAS].close()
