"""Phase 2 comes and goes while six clients work on all eight tables; nobody waits, nothing is lost."""

import threading
from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from tests.support.bulk import add_audit_rows
from tests.support.clients import Client, checksums, found
from tests.support.cluster import Cluster
from tests.support.document import INDEXES
from tests.support.indexes import index_validity
from tests.support.servers import ALIAS, DATABASE, server_under_alias
from tests.support.threads import until, writers

# Every wait for a lock of more than 100 ms is a line of the server's log that begins with the session's name.
OPTIONS = {
    "log_lock_waits": "on",
    "deadlock_timeout": "100ms",
    "log_line_prefix": "%a|",
    "max_wal_size": "4GB",
    "autovacuum_naptime": "1s",
}


@pytest.fixture
def cluster(django_db_blocker: DjangoDbBlocker) -> Iterator[Cluster]:
    """A server that logs every wait for a lock."""
    with django_db_blocker.unblock(), server_under_alias(OPTIONS) as server:
        yield server


@pytest.mark.parametrize(("rows", "times"), [(8_000, 1), pytest.param(1_000_000, 3, marks=pytest.mark.scale)])
def test_six_clients_notice_nothing(cluster, rows, times, capsys):
    call_command("migrate", database=ALIAS, verbosity=0)
    call_command("migrate", "pam", "0002_phase2_begin", database=ALIAS, verbosity=0)
    add_audit_rows(ALIAS, rows)
    seed = Client(ALIAS, "seed")
    for number in range(50):
        seed.step(number)
    began = timezone.now().isoformat()
    before = checksums(ALIAS, began)
    clients = [Client(ALIAS, f"client-{number}") for number in range(6)]

    with writers(6, lambda writer, number: clients[writer].step(number)) as steps:
        for _ in range(times):
            call_command("migrate", "pam", database=ALIAS, verbosity=0)
            assert all(index_validity(ALIAS, "ix_%")[name] for name in INDEXES)
            call_command("migrate", "pam", "0002_phase2_begin", database=ALIAS, verbosity=0)
            assert not set(index_validity(ALIAS, "ix_%")) & set(INDEXES)

    assert checksums(ALIAS, began) == before
    for client in clients:
        assert found(ALIAS, set(client.remembered)) == client.remembered
    waited = [line for line in client_lines(cluster) if "still waiting" in line or "acquired" in line]
    assert waited == []
    assert [line for line in client_lines(cluster) if "ERROR" in line or "FATAL" in line] == []
    assert_a_wait_would_have_been_seen(cluster)
    with capsys.disabled():
        done = f"{sum(steps):,} steps of 6 clients, 0 waits, 0 errors"
        print(f"\n{rows:,} audit rows, phase 2 {times} times there and back: {done}")


def client_lines(cluster: Cluster) -> list[str]:
    return [line for line in cluster.log_text().splitlines() if line.startswith("client-")]


def assert_a_wait_would_have_been_seen(cluster: Cluster) -> None:
    """The control: a client made to wait is in the log, by name."""
    holder, waiter = cluster.connect(DATABASE), cluster.connect(DATABASE)

    def wait() -> None:
        with waiter.cursor() as cursor:
            cursor.execute("SET application_name = 'client-control'; LOCK TABLE sessions IN SHARE MODE")

    with holder.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE")
        thread = threading.Thread(target=wait)
        thread.start()
        until(lambda: any("still waiting" in line for line in client_lines(cluster)), "the wait is logged")
        cursor.execute("ROLLBACK")
        thread.join()
    holder.close()
    waiter.close()
