"""Transactions that read as of a time before the swap see all rows, or the swap waits for them."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.core.management import call_command
from psycopg2.extensions import connection as Connection

from pam.postgres.online_copy.errors import OldSnapshot
from tests.support.bulk import add_audit_rows
from tests.support.clients import Client
from tests.support.databases import session
from tests.support.months import CONVERTED, left_over, partitions

ROWS = 500


@pytest.fixture
def filled(phase2: str) -> str:
    Client(phase2, "seed").step(0)
    add_audit_rows(phase2, ROWS, 50, "2026-09-05 13:37:11+00")
    return phase2


@contextmanager
def transaction(alias: str, level: str) -> Iterator[Connection]:
    """One that has read some table at this level, and goes on."""
    with session(alias) as other:
        other.set_session(isolation_level=level, autocommit=False)
        with other.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM directory_roles")
        yield other


def count(of: Connection) -> int:
    with of.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM audit_logs")
        ((rows,),) = cursor.fetchall()
        return int(rows)


@pytest.mark.usefixtures("brief")
@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_one_from_before_the_copy_is_waited_for(filled, level):
    with transaction(filled, level) as old:
        with pytest.raises(OldSnapshot, match=rf"its rows would be missing. It is:\n  pid {old.info.backend_pid} "):
            call_command("migrate", "pam", CONVERTED, database=filled, verbosity=0)
        assert partitions(filled, "audit_logs") == {}
        assert count(old) > ROWS
    call_command("migrate", "pam", CONVERTED, database=filled, verbosity=0)
    assert partitions(filled, "audit_logs") != {}
    assert left_over(filled) == []


@pytest.mark.usefixtures("brief")
def test_read_committed_hinders_nothing_and_sees_all(filled):
    with transaction(filled, "READ COMMITTED") as old:
        call_command("migrate", "pam", CONVERTED, database=filled, verbosity=0)
        assert count(old) > ROWS


@pytest.mark.usefixtures("brief")
def test_one_from_after_the_copy_is_waited_for_too(filled):
    """What came since the copy was verified is replayed after its snapshot, which would never see it."""
    call_command("pam_partitions", "prepare", database=filled, verbosity=0)
    add_audit_rows(filled, ROWS, 50, "2026-09-06 13:37:11+00")
    with transaction(filled, "REPEATABLE READ") as young:
        with pytest.raises(OldSnapshot, match=f"pid {young.info.backend_pid} "):
            call_command("migrate", "pam", CONVERTED, database=filled, verbosity=0)
        assert partitions(filled, "audit_logs") == {}
        assert count(young) > 2 * ROWS
    call_command("migrate", "pam", CONVERTED, database=filled, verbosity=0)
    assert partitions(filled, "audit_logs") != {}
    assert left_over(filled) == []
