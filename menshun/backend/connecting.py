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


class ConnectionFailedError(MenshunError, OperationalError):
    """No usable connection: a sentence for manage.py, and an OperationalError for code that expects Django's."""


def explain_failure(
    error: psycopg2.Error, parameters: Mapping[str, Any], server: EmbeddedServer | None
) -> ConnectionFailedError:
    """The error for a failed connect, told apart by whether anybody listens there: libpq gives no SQLSTATE."""
    host, port = str(parameters.get("host", "")), int(parameters.get("port", PORT))
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
            f"DATABASE_URL names no host, and this machine's own PostgreSQL did not let user '{user}' into database "
            f"'{database}' ({said}). Name the host in DATABASE_URL, or see whether the server runs: pg_isready"
        )
    if not any(_is_listening(one, port) for one in host.split(",")):
        return ConnectionFailedError(
            f"No PostgreSQL server can be reached at {_place(host, port)} ({said}). Start it, or correct host and port "
            f"in DATABASE_URL; to see whether it answers: pg_isready -h '{host}' -p {port}"
        )
    return ConnectionFailedError(
        f"The PostgreSQL server at {_place(host, port)} did not let user '{user}' into database '{database}' ({said}). "
        f"Correct user, password and database in DATABASE_URL; to try them by hand: "
        f"psql -h '{host}' -p {port} -U '{user}' -d '{database}'"
    )


def check_server(connection: Connection) -> None:
    """Refuse a server that is too old, and a database that does not store its text as UTF-8."""
    parameters = connection.info.dsn_parameters
    place = _place(parameters.get("host", ""), int(parameters.get("port", PORT)))
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


def _is_listening(host: str, port: int) -> bool:
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


def _place(host: str, port: int) -> str:
    return f"'{host}', port {port}" if host else "this machine"
