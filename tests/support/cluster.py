"""A throw-away PostgreSQL server for tests that need one of their own: other settings, users, encodings, a crash.

    with Cluster(options={"wal_level": "logical"}) as cluster, cluster.connect() as connection:
        ...

Works as root (the server then runs as an account without privileges) and without root.
"""

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from menshun.embedded import programs
from menshun.embedded.account import account_for, let_read, open_the_way
from menshun.embedded.processes import end_leftovers, postmaster
from menshun.embedded.sockets import PORT


class Cluster:
    """A server in a folder of its own, gone with its data at the end of the `with` block.

    `bindir` is the folder of PostgreSQL's programs: the environment's PG_BINDIR, else the wheel's. `options` are
    server settings. `auth` is how local connections prove who they are ("trust", "scram-sha-256"); with anything but
    "trust" the superuser's password is `password`.
    """

    def __init__(
        self,
        bindir: Path | str | None = None,
        options: Mapping[str, str | int] | None = None,
        *,
        auth: str = "trust",
        password: str = "secret",  # noqa: S107
        initdb: Sequence[str] = ("--locale=C.UTF-8",),
    ) -> None:
        self.bindir = Path(bindir or os.environ.get("PG_BINDIR") or programs.wheel_bindir())
        # A throw-away server needs no protection from a power failure; half the time of a test would go into fsync.
        self.options = {"fsync": "off", **(options or {})}
        self.auth = auth
        self.password = password
        self.initdb_arguments = initdb
        self.port = PORT

    def __enter__(self) -> Self:
        # Not pytest's own folder: the path of a socket has a limit of some 100 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self.data = self.folder / "data"
        self.log = self.folder / "log"
        try:
            self._make()
            self.start()
        except BaseException:
            shutil.rmtree(self.folder)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.pid is not None:
            self.stop("immediate")
        end_leftovers(self.data)
        shutil.rmtree(self.folder)

    def _make(self) -> None:
        self.account = account_for(self.folder)
        os.chown(self.folder, self.account.uid, self.account.gid)
        let_read(programs.folders_to_read(self.bindir))
        open_the_way(self.account, self.data, self.bindir / "postgres")
        self._fill()

    def _fill(self) -> None:
        """Make the data folder."""
        password_file = self.folder / "password"
        password_file.write_text(self.password)
        programs.initdb(
            self.bindir,
            self.data,
            self.account,
            ["--no-sync", f"--auth={self.auth}", f"--pwfile={password_file}", *self.initdb_arguments],
        )

    def start(self) -> None:
        """Start the server; returns when it accepts connections."""
        settings = [f"--{name}={value}" for name, value in self.options.items()]
        self._server = programs.start(self.bindir, self.data, self.folder, self.log, self.account, settings)

    def stop(self, mode: str = "fast") -> None:
        """Stop the server by pg_ctl's mode: smart, fast, or immediate (as a crash, but tidy)."""
        programs.stop(self.bindir, self.data, self.account, mode)
        self._server.wait()

    def kill(self) -> None:
        """End the server's main process by kill -9. Its backends notice by themselves, soon."""
        self._server.kill()
        self._server.wait()

    @property
    def pid(self) -> int | None:
        """The process id of the running server, or None."""
        return postmaster(self.data)

    @property
    def host(self) -> str:
        """What a client names as host: the folder of the socket."""
        return str(self.folder)

    def dsn(self, dbname: str = "postgres", user: str = programs.SUPERUSER) -> str:
        """The libpq connection string of a database."""
        return f"host={self.host} port={self.port} dbname={dbname} user={user} password={self.password}"

    def url(self, dbname: str = "postgres", user: str = programs.SUPERUSER, password: str | None = None) -> str:
        """The DATABASE_URL of a database."""
        host = self.host.replace("/", "%2F")
        return f"postgresql://{user}:{password or self.password}@{host}:{self.port}/{dbname}"

    def connect(self, dbname: str = "postgres", user: str = programs.SUPERUSER) -> Connection:
        """A new connection in autocommit mode; the caller closes it."""
        connection = psycopg2.connect(self.dsn(dbname, user))
        connection.autocommit = True
        return connection

    def execute(self, statement: str | sql.Composable, dbname: str = "postgres") -> list[tuple[object, ...]]:
        """Run one statement over a connection of its own and return its rows."""
        connection = self.connect(dbname)
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def change(self, setting: str) -> None:
        """Set a server setting, as in "work_mem = '1MB'", for all sessions."""
        self.execute(f"ALTER SYSTEM SET {setting}")
        self.execute("SELECT pg_reload_conf()")

    def create_database(self, name: str, options: str = "") -> None:
        """CREATE DATABASE with `options` as they stand, such as "ENCODING 'SQL_ASCII' TEMPLATE template0"."""
        self.execute(sql.SQL("CREATE DATABASE {} ").format(sql.Identifier(name)) + sql.SQL(options))

    def log_text(self) -> str:
        """What the server has logged so far."""
        return self.log.read_text(errors="replace")
