"""The functions that clients run by writing while a table is converted: whose rights they have, who may use them."""

import io

import pytest
from django.core.management import call_command
from django.db import connections

from pam.models import PrivilegedUser
from pam.postgres.online_copy.errors import ObstaclesFound
from tests.support.clients import Client
from tests.support.months import CONVERTED, left_over
from tests.support.rows import build


@pytest.fixture
def full(phase2: str) -> str:
    Client(phase2, "seed").step(0)
    return phase2


def migrate(alias: str) -> None:
    call_command("migrate", "pam", CONVERTED, database=alias, verbosity=0)


@pytest.mark.parametrize("function", ["sessions_menshun_capture", "sessions_menshun_referenced"])
def test_its_functions_are_for_nobody_else(full, function):
    call_command("pam_partitions", "prepare", database=full, stdout=io.StringIO())
    with connections[full].cursor() as cursor:
        cursor.execute("SELECT proacl::text[] FROM pg_proc WHERE proname = %s", [function])
        ((acl,),) = cursor.fetchall()
        assert not any(entry.startswith("=") for entry in acl)


def test_they_have_the_rights_of_the_owner_and_of_nobody_who_may_lose_his(full):
    user = build(PrivilegedUser)
    user.save(using=full)
    with connections[full].cursor() as cursor:
        cursor.execute("UPDATE sessions SET user_id = %s", [user.pk])
        cursor.execute("CREATE ROLE their_owner; ALTER TABLE sessions OWNER TO their_owner")
        try:
            call_command("pam_partitions", "prepare", database=full, stdout=io.StringIO())
            cursor.execute(
                "SELECT relname FROM pg_class WHERE relowner = 'their_owner'::regrole AND relname ~ 'menshun_keys$'"
                " UNION ALL SELECT proname FROM pg_proc WHERE proowner = 'their_owner'::regrole ORDER BY 1"
            )
            assert [name.removeprefix("sessions_menshun_") for (name,) in cursor.fetchall()] == [
                "capture",
                "keys",
                "referenced",
            ]
            # Somebody without any right on the copy.
            cursor.execute("GRANT SELECT, DELETE ON sessions, privileged_users TO pg_monitor; SET ROLE pg_monitor")
            cursor.execute("DELETE FROM sessions WHERE user_id = %s", [user.pk])
            cursor.execute("DELETE FROM privileged_users WHERE id = %s", [user.pk])
            cursor.execute("RESET ROLE")
            migrate(full)
            cursor.execute("SELECT count(*) FROM sessions")
            assert cursor.fetchall() == [(0,)]
        finally:
            cursor.execute("RESET ROLE")
            cursor.execute("REASSIGN OWNED BY their_owner TO CURRENT_USER; DROP OWNED BY their_owner")
            cursor.execute("DROP ROLE their_owner")
    assert left_over(full) == []


def test_a_function_of_its_name_is_told_before(full):
    with connections[full].cursor() as cursor:
        cursor.execute("CREATE FUNCTION sessions_menshun_referenced() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    with pytest.raises(ObstaclesFound, match=r'ALTER FUNCTION "public"."sessions_menshun_referenced" RENAME TO'):
        migrate(full)
