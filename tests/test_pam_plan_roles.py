"""`pam_plan` for roles that lack a right: which, and what to grant, is said beforehand."""

import io
from collections.abc import Iterator

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from tests.support.databases import database_name


@pytest.fixture
def owner(phase2: str) -> Iterator[str]:
    """The database, as a role that owns both tables and nothing else, and may read all."""
    with connections[phase2].cursor() as cursor:
        cursor.execute("CREATE ROLE half_owner IN ROLE pg_read_all_data")
        try:
            for table in ("sessions", "audit_logs"):
                cursor.execute(f"ALTER TABLE {table} OWNER TO half_owner")
            yield phase2
        finally:
            cursor.execute("RESET ROLE; REASSIGN OWNED BY half_owner TO CURRENT_USER; DROP OWNED BY half_owner")
            cursor.execute("DROP ROLE half_owner")


def planned_after(alias: str, *statements: str) -> str:
    """What the role is told after these statements of a superuser."""
    out = io.StringIO()
    with connections[alias].cursor() as cursor:
        for statement in (*statements, "SET ROLE half_owner"):
            cursor.execute(statement)
    try:
        call_command("pam_plan", database=alias, stdout=out)
    except CommandError as error:
        return out.getvalue() + str(error)
    return out.getvalue()


def test_no_right_to_make_a_table(owner):
    told = planned_after(owner, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    assert "GRANT CREATE ON SCHEMA public TO half_owner." in told


def test_what_is_referred_to_is_of_another_owner(owner):
    """A trigger is made there, and only the owner could drop it."""
    with connections[owner].cursor() as cursor:
        cursor.execute("SELECT current_user")
        ((other,),) = cursor.fetchall()
    told = planned_after(owner, "GRANT CREATE ON SCHEMA public TO half_owner")
    assert (
        "OBSTACLE: The foreign key fk_sessions_user_id refers to privileged_users, which this role does not own. "
        f"Run this as a role that owns both, or GRANT {other} TO half_owner." in told
    )
    assert "1 obstacles" in told


def test_no_right_to_make_a_temporary_table(owner):
    """Then the time is not known; all else is."""
    told = planned_after(
        owner,
        "GRANT CREATE ON SCHEMA public TO half_owner; ALTER TABLE privileged_users OWNER TO half_owner",
        f"REVOKE TEMPORARY ON DATABASE {database_name(owner)} FROM PUBLIC",
    )
    for figure in ("time", "longest lock"):
        assert told.count(f"  {figure}: not measured: this role may make no temporary table") == 2
    assert "swap the names" in told
    assert "OBSTACLE" not in told
