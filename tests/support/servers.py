"""A throw-away server whose database Django reaches under an alias."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.db import connections

from tests.support.cluster import Cluster

ALIAS = "cluster"
DATABASE = "app"
# Of a server that is measured: no checkpoint in the middle, and memory for what is read and built again and again.
ROOMY = {"max_wal_size": "8GB", "shared_buffers": "1GB", "maintenance_work_mem": "256MB"}


@contextmanager
def server_under_alias(options: Mapping[str, str | int]) -> Iterator[Cluster]:
    """A Cluster with these settings and the empty database "app", which is the alias "cluster" in the meantime."""
    with Cluster(options=options) as server, database_under_alias(server, ALIAS, DATABASE):
        yield server


@contextmanager
def database_under_alias(server: Cluster, alias: str, name: str, options: str = "") -> Iterator[str]:
    """A database made on the server, with `options` of CREATE DATABASE, which is `alias` in the meantime."""
    server.create_database(name, options)
    connections.databases[alias] = {
        **connections.databases["default"],
        "NAME": name,
        "USER": "postgres",
        "PASSWORD": "",
        "HOST": server.host,
        "PORT": str(server.port),
    }
    try:
        yield alias
    finally:
        connections[alias].close()
        del connections[alias]
        del connections.databases[alias]
