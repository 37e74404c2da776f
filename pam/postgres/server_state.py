"""How a server and a database are doing: what lasts, what waits, what is held, how old the statistics are."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.backends.base.base import BaseDatabaseWrapper

from pam.postgres.sql import query


@dataclass(frozen=True)
class Database:
    """The ages are numbers of transactions."""

    version: int
    is_standby: bool
    xid_age: int
    xid_freeze_age: int
    multixact_age: int
    multixact_freeze_age: int
    autovacuum_is_on: bool
    extensions: list[str]


@dataclass(frozen=True)
class OpenTransaction:
    """A session in a transaction, or a prepared transaction, whose pid is 0 and whose query is what ends it."""

    pid: int
    role: str
    state: str | None
    began: datetime
    in_state_since: datetime | None
    query: str


@dataclass(frozen=True)
class Slot:
    """A replication slot, and the bytes of WAL that it holds. `wal_status` as in pg_replication_slots."""

    name: str
    is_active: bool
    wal_status: str | None
    held: int


@dataclass(frozen=True)
class TableStatistics:
    """What the planner knows of a table or partition. `bytes` of a partitioned one are those of its partitions.

    `analyzed_at` is None if it was not analyzed since the counters began; `has_statistics` tells of columns that this
    role may read, which `is_readable` tells it may.
    """

    oid: int
    parent_oid: int | None
    schema: str
    name: str
    is_partitioned: bool
    bytes: int
    has_statistics: bool
    is_readable: bool
    analyzed_at: datetime | None
    rows: int
    changed: int

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class ServerState:
    """All of it. `hidden` counts the sessions whose doings this role may not see."""

    database: Database
    transactions: tuple[OpenTransaction, ...]
    hidden: int
    slots: tuple[Slot, ...]
    statistics: tuple[TableStatistics, ...]


def server_state(connection: BaseDatabaseWrapper, tables: Iterable[int]) -> ServerState:
    """The state of the server, and of the tables of these oids with their partitions. Locks: none that anybody feels.

    A table's size is read under ACCESS SHARE, so that who holds ACCESS EXCLUSIVE on it keeps this waiting.
    """
    with connection.cursor() as cursor:
        cursor.execute(query("server_state", "database"))
        database = Database(*cursor.fetchone())
        cursor.execute(query("server_state", "transactions"))
        transactions = tuple(OpenTransaction(*row) for row in cursor.fetchall())
        cursor.execute(query("server_state", "hidden"))
        (hidden,) = cursor.fetchone()
        cursor.execute(query("server_state", "slots"))
        slots = tuple(Slot(*row) for row in cursor.fetchall())
        cursor.execute(query("server_state", "statistics"), {"tables": list(tables)})
        statistics = tuple(TableStatistics(*row) for row in cursor.fetchall())
    return ServerState(database, transactions, hidden, slots, statistics)
