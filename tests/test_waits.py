"""For whom an index build waits is said, whoever it is: also a transaction that was prepared and forgotten."""

from collections.abc import Iterator

import pytest
from django.db import connections
from pytest_django import DjangoDbBlocker

from pam.postgres import activity, concurrent_index, locks
from pam.postgres.activity import Session
from pam.postgres.errors import LockUnavailable
from pam.postgres.locks import Patience
from pam.postgres.operations import AddIndexConcurrently
from tests.support import toys
from tests.support.databases import session
from tests.support.indexes import index_validity
from tests.support.servers import ALIAS, server_under_alias
from tests.support.threads import actor, failure_of, until

ADD = AddIndexConcurrently("Toy", toys.INDEX)
IMPATIENT = Patience(lock_timeout_ms=50, attempts=2, first_pause=0.01, longest_pause=0.01)


@pytest.fixture
def prepared(django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """A server that knows prepared transactions, with the table made."""
    with django_db_blocker.unblock(), server_under_alias({"max_prepared_transactions": 5}):
        toys.make_table(ALIAS)
        yield ALIAS


def prepare(alias: str, statement: str) -> None:
    with session(alias) as other, other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(statement)
        cursor.execute("PREPARE TRANSACTION 'forgotten'")


def test_a_prepared_transaction_that_wrote(prepared, caplog):
    prepare(prepared, "UPDATE toys SET name = 'x' WHERE id = 1")
    with actor(lambda: toys.forwards(prepared, ADD, toys.state())) as build:
        until(lambda: "ROLLBACK PREPARED 'forgotten'" in caplog.text or build.done(), "the wait is told")
        assert "waits for an older transaction: pid 0 (user postgres" in caplog.text
        with connections[prepared].cursor() as cursor:
            cursor.execute("ROLLBACK PREPARED 'forgotten'")
    assert index_validity(prepared, "ix_toys%") == {toys.INDEX.name: True}


def test_a_prepared_transaction_that_holds_the_table(prepared, monkeypatch):
    for module in (concurrent_index, locks):
        monkeypatch.setattr(module, "CALM", IMPATIENT)
    prepare(prepared, "LOCK TABLE toys IN SHARE MODE")
    with actor(lambda: toys.forwards(prepared, ADD, toys.state())) as build:
        error = failure_of(build)
    assert isinstance(error, LockUnavailable)
    assert "ROLLBACK PREPARED 'forgotten'" in str(error)


def test_a_session_is_one_readable_line(prepared):
    own = activity.backend_pid(connections[prepared])
    with session(prepared) as other, other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("LOCK TABLE toys IN SHARE MODE -- " + "long " * 50)
        oid = 0
        with connections[prepared].cursor() as asking:
            asking.execute("SELECT 'toys'::regclass::oid")
            oid = asking.fetchone()[0]
        (holder,) = activity.holding(connections[prepared], [oid], ["ShareLock"])
    assert isinstance(holder, Session)
    assert holder.pid != own
    assert str(holder).startswith(f"pid {holder.pid} (user postgres, for 0:00:0")
    assert "idle in transaction" in str(holder)
    assert str(holder).endswith("long...")
    assert "\n" not in str(holder)
