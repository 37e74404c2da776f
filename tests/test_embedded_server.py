"""The embedded server's life: shared by processes, stopped by the last one, started again after any kill."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import Mock

import psutil
import psycopg2
import psycopg2.extras
import pytest

from menshun.embedded.account import account_for
from menshun.embedded.processes import is_alive
from menshun.embedded.server import SUPERUSER, EmbeddedServer
from menshun.embedded.sockets import PORT, SOCKET_NAME
from tests.support.embedded import UserProcess, query

pytestmark = pytest.mark.once

WAIT_SECONDS = 30


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for the tests of this module: making its data takes most of a test's time."""
    return tmp_path_factory.mktemp("server") / ".postgres"


@pytest.fixture
def server(folder: Path) -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(folder)
    yield server
    server.leave()
    server.stop()


@pytest.fixture
def fresh_server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(tmp_path / ".postgres")
    yield server
    server.leave()
    server.stop()


def test_two_processes_share_one_server_and_the_last_one_stops_it(folder: Path, server: EmbeddedServer):
    with UserProcess(folder).go() as first, UserProcess(folder).go() as second:
        assert first.server_pid() == second.server_pid() == server.pid
        first.end()
        assert server.pid is not None
        assert server.is_in_use
        second.end()
        assert server.pid is None
        assert not server.is_in_use


def test_many_processes_that_start_at_once_on_a_fresh_folder_get_one_server(fresh_server: EmbeddedServer):
    with ExitStack() as stack:
        users = [stack.enter_context(UserProcess(fresh_server.folder)) for _ in range(5)]
        for user in users:
            user.go()
        assert len({user.server_pid() for user in users}) == 1
        for user in users:
            user.end()
    assert fresh_server.pid is None


def test_a_killed_process_hinders_nobody(folder: Path, server: EmbeddedServer):
    with UserProcess(folder).go() as victim:
        left = victim.server_pid()
        victim.kill()
    assert server.pid == left
    assert not server.is_in_use

    server.use()
    assert server.pid == left
    server.leave()
    assert server.pid is None


def test_a_process_killed_while_it_made_the_data_hinders_nobody(fresh_server: EmbeddedServer):
    with UserProcess(fresh_server.folder).go() as victim:
        _wait_for(lambda: (fresh_server.folder / "data.new" / "base").exists())
        victim.kill()

    fresh_server.use()
    assert query(fresh_server, "SELECT 1") == [(1,)]
    assert not (fresh_server.folder / "data.new").exists()


def test_a_killed_server_starts_again_and_has_its_data(server: EmbeddedServer):
    server.use()
    query(server, "CREATE TABLE survivor AS SELECT 7 AS n")
    killed = _kill(server)

    server.use()
    assert server.pid not in (None, killed)
    assert query(server, "SELECT n FROM survivor") == [(7,)]


@pytest.mark.parametrize("may_ask", [True, False], ids=["open", "container"])
def test_a_query_that_a_killed_server_left_behind_hinders_nobody(
    server: EmbeddedServer, may_ask: bool, monkeypatch: pytest.MonkeyPatch
):
    if not may_ask:  # as for root in a container without the right to trace processes
        monkeypatch.setattr(psutil.Process, "cwd", Mock(side_effect=psutil.AccessDenied))
    server.use()
    connection = psycopg2.connect(host=str(server.host), port=PORT, user=SUPERUSER, dbname="menshun", async_=True)
    try:
        psycopg2.extras.wait_select(connection)
        connection.cursor().execute("SELECT count(*) FROM generate_series(1, 1e12::bigint)")
        _wait_for(lambda: query(server, "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query ~ '1e12::'"))
        _kill(server)
        server.use()
        assert query(server, "SELECT 1") == [(1,)]
    finally:
        connection.close()


def test_lock_files_with_the_process_number_of_a_stranger_hinder_nobody(server: EmbeddedServer):
    server.use()
    lines = (server.data / "postmaster.pid").read_text().splitlines()
    server.stop()
    # PostgreSQL itself believes such a file when the number belongs to a process of the same user.
    owner = account_for(server.folder).uid if os.geteuid() == 0 else None
    with subprocess.Popen(["/bin/sleep", "60"], user=owner) as stranger:
        for path in (server.data / "postmaster.pid", server.host / f"{SOCKET_NAME}.lock"):
            path.write_text("\n".join([str(stranger.pid), *lines[1:], ""]))
        assert server.pid is None
        server.use()
        assert server.pid not in (None, stranger.pid)
        assert stranger.poll() is None
        stranger.kill()


def test_a_dropped_database_is_made_again(server: EmbeddedServer):
    server.use()
    with UserProcess(server.folder).go() as user:
        user.server_pid()
        query(server, "DROP DATABASE menshun", database="postgres")
    with UserProcess(server.folder).go() as user:
        user.server_pid()
        assert query(server, "SELECT 1") == [(1,)]


def test_a_folder_removed_in_use_is_made_afresh(fresh_server: EmbeddedServer):
    fresh_server.use()
    lost = fresh_server.pid
    removed = fresh_server.folder.rename(fresh_server.folder.with_name("removed"))
    shutil.rmtree(removed)

    fresh_server.use()
    assert query(fresh_server, "SELECT 1") == [(1,)]
    assert fresh_server.is_in_use
    assert lost is not None
    assert not is_alive(lost)


def test_a_lost_socket_is_made_again(server: EmbeddedServer):
    server.use()
    (server.host / SOCKET_NAME).unlink()
    server.use()
    assert query(server, "SELECT 1") == [(1,)]


_FORKING_USER = """
import os, signal, sys
from pathlib import Path
from menshun.embedded.processes import is_alive
from menshun.embedded.server import server_in
signal.alarm(60)
server = server_in(Path(sys.argv[1]))
server.use()
told, tell = os.pipe()
if os.fork() == 0:
    {child}
    os.write(tell, b"x")
    print(server.pid, flush=True)
    sys.stdin.readline()
    sys.exit()
os.read(told, 1)
"""


@pytest.mark.parametrize(("child", "keeps_it"), [("server.use()", True), ("pass", False)], ids=["uses", "does not"])
def test_a_forked_child_keeps_the_server_if_it_uses_it(
    folder: Path, server: EmbeddedServer, child: str, keeps_it: bool
):
    with UserProcess(folder, _FORKING_USER.format(child=child)) as parent:
        pid = parent.server_pid()
        os.waitid(os.P_PID, parent.pid, os.WEXITED | os.WNOWAIT)
        assert server.pid == (pid if keeps_it else None)
        assert server.is_in_use == keeps_it
        parent.end()
    _wait_for(lambda: server.pid is None)


def _kill(server: EmbeddedServer) -> int:
    """Kill -9 the server's main process, and wait until it has ended."""
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    _wait_for(lambda: server.pid is None)
    return pid


def _wait_for(condition) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
