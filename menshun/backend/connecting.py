"""Why a connection failed, or a server will not do, in a sentence that says what to do next."""

import socket
from collections.abc import Mapping
from typing import Any

import psycopg2
from django.db import OperationalError
from psycopg2.extensions import connection as Connection

from menshun.embedded.server import EmbeddedServer
from menshun.embedded.sockets import PORT
from pam.postgres.errors import MenshunError

MINIMUM_VERSION = 15
ENCODING = "UTF8"
PROBE_SECONDS = 5
# For every reason at once: libpq gives no SQLSTATE, and its texts come in the language of server and machine.
REMEDIES = (
    "If this is about the login, correct user, password or database in DATABASE_URL; if about an option, what follows "
    "its '?'; if about a limit, wait or have it raised."
)


class ConnectionFailedError(MenshunError, OperationalError):
    """No usable connection: a sentence for manage.py, and an OperationalError for code that expects Django's."""


def explain_failure(
    error: psycopg2.Error, parameters: Mapping[str, Any], server: EmbeddedServer | None
) -> ConnectionFailedError:
    """The error for a failed connect, told apart by whether anybody listens there: libpq gives no SQLSTATE."""
    # Text, as somebody wrote it: a port may be the mistake that is to be explained.
    host, port = str(parameters.get("host", "")), str(parameters.get("port", PORT))
    user, database = parameters.get("user", ""), parameters.get("dbname", "")
    said = " ".join(str(error).split())
    if server is not None:
        return ConnectionFailedError(
            f"The embedded PostgreSQL refused the connection to database '{database}' ({said}). "
            f"See its log: tail '{server.log}'"
        )
    if isinstance(error, psycopg2.ProgrammingError):
        return ConnectionFailedError(
            f"DATABASE_URL has a parameter that PostgreSQL does not know ({said}). Correct what follows its '?'."
        )
    if not host:
        return ConnectionFailedError(
            f"DATABASE_URL names no host, and connecting to this machine's own PostgreSQL as user '{user}' to database "
            f"'{database}' failed ({said}). {REMEDIES} Otherwise name the host in DATABASE_URL, or see whether the "
            "server runs: pg_isready"
        )
    if not any(_is_listening(one, port) for one in host.split(",")):
        return ConnectionFailedError(
            f"No PostgreSQL server can be reached at {_place(host, port)} ({said}). Start it, or correct host and port "
            f"in DATABASE_URL; to see whether it answers: pg_isready -h '{host}' -p {port}"
        )
    return ConnectionFailedError(
        f"Something answers at {_place(host, port)}, but connecting as user '{user}' to database '{database}' failed "
        f"({said}). {REMEDIES} To try it by hand: "
        f"psql -h '{host}' -p {port} -U '{user}' -d '{database}'"
    )


def check_server(connection: Connection) -> None:
    """Refuse a server that is too old, and a database that does not store its text as UTF-8."""
    parameters = connection.info.dsn_parameters
    place = _place(parameters.get("host", ""), str(parameters.get("port", PORT)))
    version = connection.server_version // 10000
    if version < MINIMUM_VERSION:
        raise ConnectionFailedError(
            f"The server at {place} is PostgreSQL {version}; menshun needs {MINIMUM_VERSION} or newer. "
            "Upgrade it, or name a newer server in DATABASE_URL."
        )
    encoding = connection.get_parameter_status("server_encoding")
    if encoding != ENCODING:
        database = connection.info.dbname
        raise ConnectionFailedError(
            f"The database '{database}' at {place} has the encoding {encoding}; menshun needs {ENCODING}. Make another "
            f"and name it in DATABASE_URL: createdb --encoding={ENCODING} --template=template0 '{database}_utf8'"
        )


def _is_listening(host: str, port: str) -> bool:
    try:
        if host.startswith("/"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                probe.settimeout(PROBE_SECONDS)
                probe.connect(f"{host}/.s.PGSQL.{port}")
        else:
            socket.create_connection((host, port), timeout=PROBE_SECONDS).close()
    except OSError:
        return False
    return True


def _place(host: str, port: str) -> str:
    return f"'{host}', port {port}" if host else "this machine"
