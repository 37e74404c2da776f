"""Whose counters of use these are, and since when: a server counts what was asked of itself, a replica its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.backends.base.base import BaseDatabaseWrapper

from pam.postgres.catalog import Relation
from pam.postgres.errors import MenshunError
from pam.postgres.sql import rows

# The exit code of a command that could not find out what it was asked.
COULD_NOT_TELL = 2


@dataclass(frozen=True)
class Server:
    """One server's counters of one database.

    `identifier` is what a server and its physical replicas have in common; None if this role may not know. Times are
    aware: `reset_at` is when somebody reset counters of this database, `kept_since` when the server began to keep any:
    its first start, or the last crash recovery, which throws them away. A clean restart keeps them.
    """

    alias: str
    identifier: int | None
    database_oid: int
    is_replica: bool
    started_at: datetime
    is_counting: bool
    reset_at: datetime | None
    kept_since: datetime | None

    @property
    def since(self) -> datetime | None:
        """The time from which on every scan was counted; None if nobody knows."""
        if not self.is_counting or self.kept_since is None:
            return None
        return max(self.kept_since, self.reset_at) if self.reset_at else self.kept_since


class AnotherDatabase(MenshunError):
    """A server whose counters were to be added is no replica of this database."""

    def __init__(self, text: str) -> None:
        super().__init__(text, returncode=COULD_NOT_TELL)


def server(connection: BaseDatabaseWrapper) -> Server:
    """What the server behind a connection says of its counters. ACCESS SHARE on catalogs."""
    may_read = rows(connection, "counters", "may_read_identifier")[0][0]
    identifier = rows(connection, "counters", "identifier")[0][0] if may_read else None
    return Server(connection.alias, identifier, *rows(connection, "counters", "server")[0])


def require_replicas(
    connection: BaseDatabaseWrapper, others: Sequence[BaseDatabaseWrapper], tables: Sequence[Relation]
) -> tuple[Server, ...]:
    """The server of `connection`, and those of `others`, which must be physical copies of it: oids mean the same there.

    Told by the server's identifier and the database's oid; where a role may not read the first, by the oids and names
    of `tables`. One that is named twice would be counted twice, and a copy that takes writes of its own is no replica.
    Raises AnotherDatabase.
    """
    servers = [server(connection)]
    command = f"python manage.py pam_indexes --database {connection.alias} --also ALIAS"
    for other in others:
        found = server(other)
        if not _is_copy(connection, servers[0], other, found, tables):
            raise AnotherDatabase(
                f"{other.alias} is another database than {connection.alias}, so its counters say nothing about these "
                f"indexes. Name a streaming replica of it: {command}"
            )
        for known in servers:
            if known.started_at == found.started_at:
                raise AnotherDatabase(
                    f"{other.alias} and {known.alias} are the same server, whose scans would be counted twice. "
                    f"Name each replica once: {command}"
                )
        if not found.is_replica and any(not known.is_replica for known in servers):
            raise AnotherDatabase(
                f"{other.alias} is a copy of {connection.alias}, but no replica any more: it takes writes of its own. "
                f"Name a streaming replica: {command}"
            )
        servers.append(found)
    return tuple(servers)


def _is_copy(
    connection: BaseDatabaseWrapper,
    ours: Server,
    other: BaseDatabaseWrapper,
    found: Server,
    tables: Sequence[Relation],
) -> bool:
    if ours.database_oid != found.database_oid:
        return False
    if ours.identifier is not None and found.identifier is not None:
        return ours.identifier == found.identifier
    oids = [table.oid for table in tables]
    here, there = (set(rows(one, "counters", "named", tables=oids)) for one in (connection, other))
    return here == there
