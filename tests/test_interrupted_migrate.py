"""`manage.py migrate` killed, cancelled and cut off in the middle of phase 2, on its own server; then run again."""

import random
import signal
import subprocess
from collections.abc import Iterator

import pytest
from django.db import connections
from pytest_django import DjangoDbBlocker

from tests.support.bulk import add_audit_rows, audit_checksum
from tests.support.cluster import Cluster
from tests.support.databases import session
from tests.support.document import INDEXES
from tests.support.indexes import index_validity
from tests.support.manage import run, start
from tests.support.servers import ALIAS, server_under_alias
from tests.support.threads import until

# The first index of the table, and the one that takes longest.
FIRST, GIN = "ix_audit_logs_compliance_gin", "ix_audit_logs_search_gin"
PHASE2 = "0090_phase2_end"
SMALL, WHOLE = 30_000, 1_000_000
MOMENTS = [
    pytest.param(SMALL, 0),
    pytest.param(SMALL, 1, marks=pytest.mark.once),
    *(pytest.param(WHOLE, moment, marks=pytest.mark.scale) for moment in range(10)),
]


@pytest.fixture(scope="module")
def cluster(django_db_blocker: DjangoDbBlocker) -> Iterator[Cluster]:
    """A server that may be killed."""
    with django_db_blocker.unblock(), server_under_alias({"max_wal_size": "4GB"}) as server:
        yield server


def building(cluster: Cluster, fraction: float) -> bool | None:
    """Whether the GIN index is being built and that far; None once there is nothing more to wait for."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(
            "SELECT p.blocks_total > 0 AND p.blocks_done >= %s * p.blocks_total FROM pg_stat_progress_create_index p"
            " WHERE p.command = 'CREATE INDEX CONCURRENTLY' AND p.relid = 'audit_logs'::regclass"
            " AND p.index_relid = to_regclass(%s)",
            [fraction, GIN],
        )
        row = cursor.fetchone()
    return bool(row and row[0])


def wait_for(cluster: Cluster, process: "subprocess.Popen[str]", fraction: float) -> None:
    until(lambda: building(cluster, fraction) or process.poll() is not None, f"the build is {fraction:.0%} done")
    assert process.poll() is None, f"ended before it was interrupted: {process.communicate()[0]}"


def assert_phase_2_is_there_once() -> None:
    found = index_validity(ALIAS, "ix_%")
    assert {name: found.get(name) for name in INDEXES} == dict.fromkeys(INDEXES, True)
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_index WHERE NOT indisvalid")
        assert cursor.fetchone() == (0,), "nothing half made is left"
        cursor.execute("SELECT count(*) FROM pg_class WHERE relname LIKE 'menshun%%' OR relname LIKE '%%ccnew%%'", [])
        assert cursor.fetchone() == (0,)
        cursor.execute("SELECT name, count(*) FROM django_migrations WHERE app = 'pam' GROUP BY 1 HAVING count(*) > 1")
        assert cursor.fetchall() == [], "each migration is recorded once"


@pytest.fixture(scope="module")
def phase1(request: pytest.FixtureRequest, cluster: Cluster) -> tuple[int, int]:
    """Phase 1 with many audit rows; returns their count and checksum."""
    run(cluster, "migrate", "pam", "0003_phase2_trigram_extension")
    # With little memory even a small build lasts long enough to be met in the middle.
    memory = "1MB" if request.param == SMALL else "64MB"
    cluster.execute(f"ALTER DATABASE app SET maintenance_work_mem = '{memory}'")
    have = audit_checksum(ALIAS)[0]
    if have < request.param:
        add_audit_rows(ALIAS, request.param - have)
    return audit_checksum(ALIAS)


@pytest.mark.parametrize(("phase1", "moment"), MOMENTS, indirect=["phase1"])
def test_killed_at_a_random_moment(cluster, phase1, moment):
    """Even moments: SIGKILL of migrate. Odd ones: the server is stopped with -m immediate. Then run again."""
    run(cluster, "migrate", "pam", "0003_phase2_trigram_extension")
    fraction = random.uniform(0, 0.8)  # noqa: S311
    process = start(cluster, "migrate", "pam", PHASE2)
    wait_for(cluster, process, fraction)
    if moment % 2:
        connections[ALIAS].close()
        cluster.stop("immediate")
        output, _ = process.communicate()
        assert process.returncode == 1
        assert "connection to the server was lost" in output
        assert "python manage.py migrate" in output
        assert "Traceback" not in output
        cluster.start()
    else:
        process.kill()
        process.communicate()
    run(cluster, "migrate", "pam", PHASE2)
    assert_phase_2_is_there_once()
    assert audit_checksum(ALIAS) == phase1


@pytest.mark.parametrize("phase1", [SMALL], indirect=True)
@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.once)])
def test_ctrl_c_and_a_plain_kill(cluster, phase1, number):
    """An older writer holds the build up, so that it has not ended before the signal comes."""
    run(cluster, "migrate", "pam", "0003_phase2_trigram_extension")
    with session(ALIAS) as other, other.cursor() as older:
        older.execute("BEGIN; LOCK TABLE audit_logs IN ROW EXCLUSIVE MODE")
        process = start(cluster, "migrate", "pam", PHASE2)
        until(lambda: is_waiting(FIRST), "the build waits for the older writer")
        process.send_signal(number)
        until(lambda: not is_waiting(FIRST), "the build is cancelled")
        older.execute("COMMIT")
    output, _ = process.communicate()
    assert process.returncode == 1, output
    assert f"{FIRST} on public.audit_logs: it was cancelled. What it left was dropped." in output
    assert "python manage.py migrate" in output
    assert "Traceback" not in output
    assert FIRST not in index_validity(ALIAS, "ix_%")
    run(cluster, "migrate", "pam", PHASE2)
    assert_phase_2_is_there_once()


@pytest.mark.parametrize("phase1", [SMALL], indirect=True)
def test_two_runs_at_once(cluster, phase1):
    """The first is held up by an older writer until the second has said that it waits for the first."""
    run(cluster, "migrate", "pam", "0003_phase2_trigram_extension")
    with session(ALIAS) as other, other.cursor() as older:
        older.execute("BEGIN; LOCK TABLE audit_logs IN ROW EXCLUSIVE MODE")
        first = start(cluster, "migrate", "pam", PHASE2)
        until(is_waiting, "the first run waits for the older writer")
        second = start(cluster, "migrate", "pam", PHASE2)
        assert second.stdout is not None
        told = next((line for line in second.stdout if "Another run is changing this database" in line), "")
        older.execute("COMMIT")
    first_output, _ = first.communicate()
    output, _ = second.communicate()
    assert first.returncode == 0, first_output
    assert second.returncode == 0, output
    assert "waiting for it to end: pid" in told
    assert "No migrations to apply" in output
    assert_phase_2_is_there_once()


def is_waiting(index: str = "") -> bool:
    """Whether a build, of this index or of any, waits for somebody."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE query LIKE 'CREATE INDEX CONCURRENTLY%%' AND query LIKE %s AND wait_event_type = 'Lock'",
            [f"%{index}%"],
        )
        return bool(cursor.fetchone()[0])
