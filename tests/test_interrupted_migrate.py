"""`manage.py migrate` killed, cancelled and cut off in the middle of phase 2, on its own server; then run again."""

import errno
import fcntl
import os
import pty
import random
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connections
from pytest_django import DjangoDbBlocker

from tests.support.bulk import add_audit_rows, audit_checksum
from tests.support.cluster import Cluster
from tests.support.document import INDEXES
from tests.support.indexes import index_validity
from tests.support.servers import ALIAS, server_under_alias
from tests.support.threads import until

GIN = "ix_audit_logs_search_gin"
MANAGE = Path(__file__).parent.parent / "manage.py"
SMALL, WHOLE = 30_000, 1_000_000
MOMENTS = [
    *(pytest.param(SMALL, moment) for moment in range(2)),
    *(pytest.param(WHOLE, moment, marks=pytest.mark.scale) for moment in range(10)),
]


@pytest.fixture(scope="module")
def cluster(django_db_blocker: DjangoDbBlocker) -> Iterator[Cluster]:
    """A server that may be killed."""
    with django_db_blocker.unblock(), server_under_alias({"max_wal_size": "4GB"}) as server:
        yield server


def start(cluster: Cluster, *arguments: str, stderr: int = subprocess.STDOUT) -> "subprocess.Popen[str]":
    """`manage.py` with these arguments, as its user would run it against this server."""
    environment = {
        **os.environ,
        "DATABASE_URL": cluster.url("app"),
        "SECRET_KEY": "test",
        "ALLOWED_HOSTS": "localhost",
        "PYTHONWARNINGS": "error",
    }
    return subprocess.Popen(
        [sys.executable, str(MANAGE), *arguments],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=stderr,
    )


def run(cluster: Cluster, *arguments: str) -> str:
    process = start(cluster, *arguments)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    return output


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
    have = audit_checksum(ALIAS)[0]
    if have < request.param:
        add_audit_rows(ALIAS, request.param - have)
    return audit_checksum(ALIAS)


@pytest.mark.parametrize(("phase1", "moment"), MOMENTS, indirect=["phase1"])
def test_killed_at_a_random_moment(cluster, phase1, moment):
    """Even moments: SIGKILL of migrate. Odd ones: the server is stopped with -m immediate. Then run again."""
    run(cluster, "migrate", "pam", "0003_phase2_trigram_extension")
    fraction = random.random()  # noqa: S311
    process = start(cluster, "migrate", "pam")
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
    run(cluster, "migrate", "pam")
    assert_phase_2_is_there_once()
    assert audit_checksum(ALIAS) == phase1


@pytest.mark.parametrize("phase1", [SMALL], indirect=True)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_a_plain_kill(cluster, phase1, number):
    run(cluster, "migrate", "pam", "0003_phase2_trigram_extension")
    process = start(cluster, "migrate", "pam")
    wait_for(cluster, process, 0.1)
    process.send_signal(number)
    output, _ = process.communicate()
    assert process.returncode == 1, output
    assert f"{GIN} on public.audit_logs: it was cancelled. What it left was dropped." in output
    assert "python manage.py migrate" in output
    assert "Traceback" not in output
    assert GIN not in index_validity(ALIAS, "ix_%")
    run(cluster, "migrate", "pam")
    assert_phase_2_is_there_once()


@pytest.mark.parametrize("phase1", [SMALL], indirect=True)
def test_two_runs_at_once(cluster, phase1):
    run(cluster, "migrate", "pam", "0003_phase2_trigram_extension")
    first = start(cluster, "migrate", "pam")
    wait_for(cluster, first, 0)
    second = start(cluster, "migrate", "pam")
    output, _ = second.communicate()
    assert first.wait() == 0, first.communicate()
    first.communicate()
    assert second.returncode == 0, output
    assert "Another run is changing this database; waiting for it to end: pid" in output
    assert "No migrations to apply" in output
    assert_phase_2_is_there_once()


@pytest.mark.parametrize("phase1", [SMALL], indirect=True)
def test_at_a_terminal_it_shows_how_far_it_is(cluster, phase1):
    """On a pseudo-terminal: the bar with phase and blocks, wiped away before the line that says it is built."""
    run(cluster, "migrate", "pam", "0003_phase2_trigram_extension")
    # With little memory even this build takes a second, in which something is to be seen.
    cluster.execute("ALTER DATABASE app SET maintenance_work_mem = '1MB'")
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    process = start(cluster, "migrate", "pam", stderr=theirs)
    os.close(theirs)
    shown = read_to_end(ours)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    drawn, _, rest = shown.partition(f"{GIN} on public.audit_logs: built in ")
    assert rest
    assert f"{GIN} (building index: scanning table): " in drawn
    assert " blocks [" in drawn
    last_line = drawn.rsplit("\r", 1)[-1]
    assert last_line.strip() == "", "the bar is gone before the line is written"
    cluster.execute("ALTER DATABASE app RESET maintenance_work_mem")


def read_to_end(terminal: int) -> str:
    """All that is written to a pseudo-terminal; its end is an error on Linux, and no text elsewhere."""
    text = b""
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            part = b""
        if not part:
            os.close(terminal)
            return text.decode()
        text += part
