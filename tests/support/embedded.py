"""Processes that use an embedded server, and copies of the project to run its commands in."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import psycopg2

from menshun.embedded.server import DATABASE, SUPERUSER, EmbeddedServer
from menshun.embedded.sockets import PORT

CHECKOUT = Path(__file__).resolve().parents[2]
# Long enough for an installation.
KEY = "of-a-site-that-lives-for-one-test-and-keeps-no-secret"

# Waits at its standard input before it uses the server, and again before it ends. The alarm ends it when it hangs.
# Another user's number makes it that user, after its imports: Python itself may be out of that user's reach.
_USER = """
import os, signal, sys
from pathlib import Path
from menshun.embedded.server import server_in
signal.alarm(60)
if sys.argv[2:]:
    os.setgroups([])
    os.setgid(int(sys.argv[2]))
    os.setuid(int(sys.argv[2]))
server = server_in(Path(sys.argv[1]))
sys.stdin.readline()
server.use()
print(server.pid, flush=True)
sys.stdin.readline()
"""


class UserProcess:
    """Another process that uses the embedded server in a folder; gone at the end of the `with` block."""

    def __init__(self, folder: Path, script: str = _USER, *, uid: int | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", script, str(folder), *([] if uid is None else [str(uid)])],
            cwd=CHECKOUT,
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def go(self) -> Self:
        """Let it pass its next meeting point."""
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write("\n")
        stdin.flush()
        return self

    def server_pid(self) -> int:
        """The process id of the server it got; waits for it."""
        stdout = self._process.stdout
        assert stdout is not None
        line = stdout.readline()
        assert line, self._process.communicate()[1]
        return int(line)

    def end(self) -> None:
        """Let it end by itself, cleanly."""
        _, errors = self._process.communicate("\n", timeout=60)
        assert self._process.returncode == 0, errors
        assert "Traceback" not in errors

    def fail(self) -> str:
        """Let it fail; gives what it says."""
        _, errors = self._process.communicate("\n\n", timeout=60)
        assert self._process.returncode != 0
        return errors

    def kill(self) -> None:
        """End it by kill -9."""
        if self._process.returncode is None:
            self._process.kill()
            self._process.communicate()


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without what the outer test run says about databases."""
    ours = ("DATABASE_URL", "SECRET_KEY", "ALLOWED_HOSTS", "DJANGO_SETTINGS_MODULE", "PG")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", **(extra or {})}


def copy_project(target: Path) -> Path:
    """A copy of the project's code, without a server of its own yet."""
    target.mkdir()
    for name in ("menshun", "pam"):
        shutil.copytree(CHECKOUT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CHECKOUT / "manage.py", target)
    return target


def manage(
    project: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run manage.py of a copy, with warnings as errors."""
    return subprocess.run(
        [sys.executable, "-W", "error", "manage.py", *arguments],
        cwd=project,
        env=clean_environment(environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def query(server: EmbeddedServer, statement: str, database: str = DATABASE) -> list[tuple[object, ...]]:
    """Run one statement in the server's database over a connection of its own; gives the rows."""
    connection = psycopg2.connect(host=str(server.host), port=PORT, user=SUPERUSER, dbname=database)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()
