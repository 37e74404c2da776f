"""Throw-away databases on the server under test, each reachable through Django by an alias of its own."""

import copy
import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from django.db import connections
from psycopg2 import sql
from psycopg2.extensions import connection as Connection


@contextmanager
def throwaway_database(alias: str, template: str = "template0") -> Iterator[str]:
    """A new database, a copy of `template`, under `alias`; gone at the end, whoever is still connected."""
    name = f"test_menshun_{alias}_{os.getpid()}"
    _maintain("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
    # By the other strategy the server copies page by page through its memory, which takes longer for 700 small files.
    _maintain("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", name, template)
    connections.databases[alias] = {**copy.deepcopy(connections.databases["default"]), "NAME": name}
    try:
        yield alias
    finally:
        connections[alias].close()
        del connections[alias]
        del connections.databases[alias]
        _maintain("DROP DATABASE {} WITH (FORCE)", name)


@contextmanager
def session(alias: str) -> Iterator[Connection]:
    """A further session on the database behind `alias`, straight from the driver, in autocommit mode."""
    connection: Connection = psycopg2.connect(**connections[alias].get_connection_params())
    connection.autocommit = True
    try:
        yield connection
    finally:
        connection.close()


def is_waited_for(alias: str, other: Connection) -> bool:
    """Whether somebody waits for a lock that the session `other` has."""
    with session(alias) as third, third.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity a WHERE %s = ANY (pg_blocking_pids(a.pid))", [other.info.backend_pid]
        )
        ((waiting,),) = cursor.fetchall()
        return bool(waiting)


def database_name(alias: str) -> str:
    """The name of the database behind an alias."""
    return str(connections.databases[alias]["NAME"])


def _maintain(statement: str, *names: str) -> None:
    with connections["default"]._nodb_cursor() as cursor:
        cursor.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
