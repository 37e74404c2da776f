"""A throw-away server whose database Django reaches under an alias."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.db import connections

from tests.support.cluster import Cluster

ALIAS = "cluster"
DATABASE = "app"


@contextmanager
def server_under_alias(options: Mapping[str, str | int]) -> Iterator[Cluster]:
    """A Cluster with these settings and the empty database "app", which is the alias "cluster" in the meantime."""
    with Cluster(options=options) as server:
        server.create_database(DATABASE)
        connections.databases[ALIAS] = {
            **connections.databases["default"],
            "NAME": DATABASE,
            "USER": "postgres",
            "PASSWORD": "",
            "HOST": server.host,
            "PORT": str(server.port),
        }
        try:
            yield server
        finally:
            connections[ALIAS].close()
            del connections[ALIAS]
            del connections.databases[ALIAS]
