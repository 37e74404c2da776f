"""`pam_load`: a company whose rows agree with each other, the same for a seed, and all of it or nothing."""

import io

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from pam.company import load as loading
from pam.company.load import TABLES, PeopleThere, Wish
from pam.company.profiles import PROFILES, Profile
from pam.models import AuditLog, PrivilegedUser
from tests.support.company import TINY, UNTIL, fill, sums
from tests.support.databases import session, throwaway_database

pytestmark = pytest.mark.once

# What must not be there: rows that speak of something that is otherwise.
DISAGREEMENTS = {
    "a role that is activated by who does not hold it then": """
        SELECT FROM audit_logs a WHERE action = 'activate_role' AND NOT EXISTS (SELECT FROM role_assignments r
            WHERE r.user_id = a.actor_user_id AND r.directory_role_id::text = a.target_resource_id
            AND r.assigned_at <= a.timestamp AND a.timestamp < coalesce(r.revoked_at, r.expires_at, 'infinity'))""",
    "a role that somebody holds who has left": """
        SELECT FROM role_assignments r JOIN privileged_users u ON u.id = r.user_id
        WHERE r.is_active AND NOT u.is_active""",
    "a secret that is read by what does not run": """
        SELECT FROM audit_logs a JOIN service_identities i ON i.id = a.actor_service_identity_id
        WHERE a.action = 'read_secret' AND NOT i.is_active""",
    "a credential whose count of rotations is another": """
        SELECT FROM credentials c, LATERAL (SELECT count(*) AS number, max(completed_at) AS last
            FROM credential_rotations r WHERE r.credential_id = c.id AND r.status = 'completed') done
        WHERE (c.rotation_count, c.last_rotated) IS DISTINCT FROM (done.number, done.last)""",
    "a rotation that is planned for another time than its credential says": """
        SELECT FROM credential_rotations r JOIN credentials c ON c.id = r.credential_id
        WHERE r.status = 'scheduled' AND r.scheduled_date <> c.next_rotation_date""",
    "an event of a session that is not there": """
        SELECT FROM audit_logs a WHERE session_id IS NOT NULL
            AND NOT EXISTS (SELECT FROM sessions s WHERE s.id = a.session_id AND s.user_id = a.actor_user_id)""",
    "a session without its sign-in": """
        SELECT FROM sessions s WHERE NOT EXISTS (SELECT FROM audit_logs a WHERE a.session_id = s.id
            AND a.action = 'sign_in' AND a.timestamp = s.created_at)""",
    "a session whose count of operations is not that of its events": """
        SELECT FROM sessions s WHERE privileged_operations_count <> (SELECT count(*) FROM audit_logs a
            WHERE a.session_id = s.id AND a.event_type = 'privileged_operation')""",
    "a sign-out that is not the end of its session": """
        SELECT FROM audit_logs a JOIN sessions s ON s.id = a.session_id
        WHERE a.action = 'sign_out' AND (s.terminated_at IS DISTINCT FROM a.timestamp OR s.is_active)""",
    "an event after the end of its session": """
        SELECT FROM audit_logs a JOIN sessions s ON s.id = a.session_id WHERE a.timestamp > s.terminated_at""",
    "a user whose sign-ins are not his sessions": """
        SELECT FROM privileged_users u
        WHERE sign_in_count <> (SELECT count(*) FROM sessions s WHERE s.user_id = u.id)""",
    "a rotation without its two events": """
        SELECT FROM credential_rotations r WHERE status IN ('completed', 'failed')
            AND 2 <> (SELECT count(*) FROM audit_logs a WHERE a.correlation_id = r.id::text)
            AND completed_at < '2026-08-17 13:37:11+00'""",
    "an assignment without its event": """
        SELECT FROM role_assignments r WHERE NOT EXISTS (SELECT FROM audit_logs a
            WHERE a.target_resource_id = r.id::text AND a.action = 'assign_role' AND a.timestamp = r.assigned_at)""",
    "a revoked assignment without its event": """
        SELECT FROM role_assignments r WHERE revoked_at IS NOT NULL AND NOT EXISTS (SELECT FROM audit_logs a
            WHERE a.target_resource_id = r.id::text AND a.action = 'revoke_role' AND a.timestamp = r.revoked_at)""",
    "an event at or after the end": "SELECT FROM audit_logs WHERE timestamp >= '2026-08-17 13:37:11+00'",
    "an event before the beginning": "SELECT FROM audit_logs WHERE timestamp < '2026-05-19 00:00+00'",
    "a row in the default partition": "SELECT FROM audit_logs_default UNION ALL SELECT FROM sessions_default",
    "a manager who is not there": """
        SELECT FROM privileged_users u WHERE manager_upn IS NOT NULL
            AND NOT EXISTS (SELECT FROM privileged_users m WHERE m.upn = u.manager_upn)""",
}


def test_rows_agree_with_each_other(migrated):
    counts = fill(migrated)
    assert counts["audit_logs"] == AuditLog.objects.using(migrated).count()
    assert 2_000 < counts["audit_logs"] < 5_000
    assert all(counts.values())
    with connections[migrated].cursor() as cursor:
        for what, query in DISAGREEMENTS.items():
            cursor.execute(f"SELECT count(*) FROM ({query}) found")
            assert (what, cursor.fetchone()) == (what, (0,))


def test_the_shape_of_life(migrated):
    """Few do most, nights and weekends are quiet, some rotations fail, some assignments are emergencies."""
    fill(migrated, Wish(Profile(users=60, identities=30, events=12_000), seed=3, months=3, until=UNTIL))
    with connections[migrated].cursor() as cursor:

        def one(query: str) -> float:
            cursor.execute(query)
            return float(cursor.fetchone()[0])

        assert one("SELECT count(*) FROM directory_roles") == 138
        busiest = "SELECT sum(n) FROM (SELECT count(*) n FROM sessions GROUP BY user_id ORDER BY 1 DESC LIMIT 6) top"
        assert one(busiest) > 0.3 * one("SELECT count(*) FROM sessions")
        weekend = one("SELECT count(*) FROM sessions WHERE extract(isodow FROM created_at) > 5")
        assert 0 < weekend < 0.1 * one("SELECT count(*) FROM sessions")
        night = one("SELECT count(*) FROM sessions WHERE extract(hour FROM created_at AT TIME ZONE 'UTC') < 5")
        assert night < 0.05 * one("SELECT count(*) FROM sessions")
        assert one("SELECT count(*) FROM credential_rotations WHERE status = 'failed'") > 0
        assert one("SELECT count(*) FROM credentials WHERE status = 'active' AND next_rotation_date < now()") > 0
        assert one("SELECT count(*) FROM role_assignments WHERE is_emergency") > 0
        assert one("SELECT count(*) FROM role_assignments WHERE NOT is_active") > 0
        assert one("SELECT count(DISTINCT identity_type) FROM service_identities") == 5


def test_one_seed_one_company(migrated_template, migrated):
    fill(migrated)
    with throwaway_database("second", migrated_template) as second:
        fill(second)
        assert sums(second) == sums(migrated)
    with throwaway_database("third", migrated_template) as third:
        fill(third, Wish(TINY, seed=8, months=3, until=UNTIL))
        assert sums(third)["audit_logs"] != sums(migrated)["audit_logs"]


def test_plain_tables_too(phase2):
    assert fill(phase2)["sessions"] > 0


def test_people_are_there_already(migrated):
    fill(migrated)
    before = sums(migrated)
    with pytest.raises(PeopleThere, match=r"30 people .* pam_load --append"):
        fill(migrated)
    assert sums(migrated) == before
    more = fill(migrated, Wish(TINY, seed=9, months=3, until=UNTIL), append=True)
    assert sums(migrated)["audit_logs"][0] == before["audit_logs"][0] + more["audit_logs"]
    assert PrivilegedUser.objects.using(migrated).count() == 60


def test_statistics_are_there(migrated):
    fill(migrated)
    loading.settle(migrated)
    with connections[migrated].cursor() as cursor:
        cursor.execute("SELECT DISTINCT tablename FROM pg_stats WHERE tablename = ANY (%s)", [TABLES])
        assert {name for (name,) in cursor.fetchall()} == set(TABLES)


def test_stopped_in_the_middle(migrated, monkeypatch):
    def interrupted(*args: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(loading, "COUNT_SIGN_INS", "SELECT pg_cancel_backend(pg_backend_pid())")
    with pytest.raises(Exception, match="canceling statement"):
        fill(migrated)
    assert PrivilegedUser.objects.using(migrated).count() == 0
    monkeypatch.setattr(loading, "_load", interrupted)
    with pytest.raises(
        CommandError, match=r"no row of it was kept.*Begin anew: python manage.py pam_load --profile small"
    ):
        call_command("pam_load", database=migrated)
    monkeypatch.undo()
    fill(migrated)


def test_the_command_tells_what_it_did(migrated):
    out = io.StringIO()
    call_command("pam_load", database=migrated, until=UNTIL, months=2, stdout=out)
    assert "privileged_users: 120 rows" in out.getvalue()
    assert "a second, VACUUM (ANALYZE) included" in out.getvalue()
    with pytest.raises(PeopleThere):
        call_command("pam_load", database=migrated)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--profile", "huge"], "invalid choice: 'huge' (choose from"),
        (["--months", "0"], "'0' is not a number of months from 1 to 120"),
        (["--until", "2026-08-17T13:37:11"], "is no time with a zone. Such as"),
        (["--until", "2026-08-99T13:37:11Z"], "Such as"),
    ],
)
def test_bad_input(arguments, told):
    with pytest.raises(CommandError) as refused:
        call_command("pam_load", *arguments)
    assert told in str(refused.value)


def test_without_tables(database):
    with pytest.raises(Exception, match=r"no table directory_roles .* showmigrations pam"):
        call_command("pam_load", database=database)


def loaded(alias: str, *arguments: str) -> str:
    with pytest.raises(CommandError) as refused:
        call_command("pam_load", *arguments, database=alias, stdout=io.StringIO())
    return str(refused.value)


def test_what_the_server_refuses_is_one_sentence(migrated):
    with connections[migrated].cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    text = loaded(migrated)
    assert "read-only transaction" in text
    assert "No row of it was kept. When that is settled, begin anew: python manage.py pam_load" in text


def test_the_same_seed_twice(migrated):
    fill(migrated, Wish(PROFILES["small"], seed=1, months=12, until=UNTIL))
    assert "Take another one" in loaded(migrated, "--until", UNTIL.isoformat(), "--append")


def test_loaded_but_not_vacuumed(migrated):
    with session(migrated) as other, other.cursor() as holding, connections[migrated].cursor() as cursor:
        other.autocommit = False
        holding.execute("LOCK TABLE directory_roles IN SHARE UPDATE EXCLUSIVE MODE")
        assert "Everything is loaded, but not vacuumed and analyzed" in loaded(migrated, "--months", "1")
        cursor.execute("SELECT count(*) FROM privileged_users")
        assert cursor.fetchone()[0] > 0


def test_other_rows_do_not_depend_on_the_roles_that_are_there(migrated, migrated_template):
    fill(migrated)
    with throwaway_database("with_roles", migrated_template) as second:
        call_command("load_directory_roles", database=second, verbosity=0, stdout=io.StringIO())
        fill(second)
        assert sums(second)["sessions"] == sums(migrated)["sessions"]
