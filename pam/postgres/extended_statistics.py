"""Extended statistics come to, and go from, a live table: what the planner is to know of columns that go together.

Over partitions the server takes them from the partition that it reads, not from its parent, so that each partition has
its own; the parent's serve queries that group its rows.
https://www.postgresql.org/docs/current/planner-stats.html#PLANNER-STATS-EXTENDED
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql

from pam.postgres import catalog
from pam.postgres.catalog import Relation
from pam.postgres.errors import NameTaken, TableMissing, build_failed
from pam.postgres.locks import CALM, is_open, lock_script, with_locks, with_retries
from pam.postgres.online_copy.build import execute
from pam.postgres.online_copy.obstacles import GOES_BEFORE
from pam.postgres.partitioned_index import partition_index_name
from pam.postgres.run_lock import exclusive_run
from pam.postgres.sql import query

# As CREATE STATISTICS names them, and as the catalog does.
KINDS = {"ndistinct": "d", "dependencies": "f", "mcv": "m"}


@dataclass(frozen=True)
class ExtendedStatistics:
    """Which columns go together, and what is gathered of them: one or more of KINDS."""

    name: str
    columns: tuple[str, ...]
    kinds: tuple[str, ...]

    def of(self, parent: Relation, partition: Relation) -> "ExtendedStatistics":
        """Those of a partition, under its name."""
        return ExtendedStatistics(partition_index_name(self.name, parent, partition), self.columns, self.kinds)

    def make(self, table: Relation, owner: str | None) -> list[sql.Composed]:
        """All that makes them ours; `owner` is the table's where that is not who runs this. Lock: as `create`."""
        name = sql.Identifier(table.schema, self.name)
        own = [sql.SQL("ALTER STATISTICS {} OWNER TO {}").format(name, sql.Identifier(owner))] if owner else []
        mark = sql.SQL("COMMENT ON STATISTICS {} IS {}").format(name, sql.Literal(GOES_BEFORE))
        return [self.create(table), mark, *own]

    def create(self, table: Relation) -> sql.Composed:
        """Lock: SHARE UPDATE EXCLUSIVE on `table`, for a moment; no reader or writer waits."""
        return sql.SQL("CREATE STATISTICS {} ({}) ON {} FROM {}").format(
            sql.Identifier(table.schema, self.name),
            sql.SQL(", ").join(map(sql.SQL, self.kinds)),
            sql.SQL(", ").join(map(sql.Identifier, self.columns)),
            table.identifier,
        )

    def drop(self, table: Relation) -> sql.Composed:
        """Lock: ACCESS EXCLUSIVE on `table`, for a moment, taken beforehand (`lock_to_drop`).

        The statement itself takes SHARE UPDATE EXCLUSIVE, beside which others plan queries; one who has just read the
        list of a table's statistics then fails with "cache lookup failed for statistics object" (XX000).
        """
        return sql.SQL("DROP STATISTICS IF EXISTS {}").format(sql.Identifier(table.schema, self.name))

    def gather(self, table: Relation) -> sql.Composed:
        """Of these columns alone. Lock: SHARE UPDATE EXCLUSIVE on `table`, then on each partition, while it is sampled;
        the time grows with partitions, not with rows."""
        return sql.SQL("ANALYZE {} ({})").format(
            table.identifier, sql.SQL(", ").join(map(sql.Identifier, self.columns))
        )


class StatisticsTaken(NameTaken):
    """Something else has the name that extended statistics are to have."""

    def __init__(self, name: str, found: str, wanted: str) -> None:
        super().__init__(name, found, wanted)
        self.args = (str(self).replace("ALTER INDEX", "ALTER STATISTICS"),)


def ensure(connection: BaseDatabaseWrapper, table_name: str, wanted: ExtendedStatistics) -> None:
    """Make sure that the table, and each of its partitions, has these statistics, gathered.

    Not inside a transaction. `table_name` is quoted. What is there already is accepted. Locks: SHARE UPDATE EXCLUSIVE
    on one table at a time, which an autovacuum gives way to. Raises TableMissing, StatisticsTaken, LockUnavailable,
    RunInProgress, BuildFailed; each leaves a database on which it can be run again.
    """
    with exclusive_run(connection):
        parent = _table(connection, table_name)
        owner = catalog.other_owner(connection, parent)
        # All are looked at before the first is made, so that a name that is taken is told before anything is changed.
        missing = [one for one in each(connection, parent, wanted) if not _is_there(connection, *one)]
        for table, statistics in missing:
            _calmly(connection, table, statistics.make(table, owner))
        _gather(connection, parent, wanted)


def remove(connection: BaseDatabaseWrapper, table_name: str, wanted: ExtendedStatistics) -> None:
    """Make sure that neither the table nor its partitions have these statistics; others of the name are not ours.

    Not inside a transaction. Locks: ACCESS EXCLUSIVE on one table at a time, for a moment, asked for briefly and with
    retries. Errors: as `ensure`.
    """
    with exclusive_run(connection):
        there = [one for one in each(connection, _table(connection, table_name), wanted) if _is_there(connection, *one)]
        for table, statistics in there:
            with_locks(connection, lock_to_drop(table), partial(execute, connection, [statistics.drop(table)]))


def lock_to_drop(table: Relation) -> list[tuple[Relation, str]]:
    """What must be locked before statistics of `table` are dropped, so that nobody plans with them."""
    return [(table, "ACCESS EXCLUSIVE")]


def drop_script(table: Relation, statistics: ExtendedStatistics) -> list[sql.Composable]:
    """What `remove` does to one table, for `sqlmigrate` to print."""
    return [sql.SQL("BEGIN"), *lock_script(lock_to_drop(table)), statistics.drop(table), sql.SQL("COMMIT")]


def each(
    connection: BaseDatabaseWrapper, table: Relation, wanted: ExtendedStatistics
) -> Iterator[tuple[Relation, ExtendedStatistics]]:
    """The table and its partitions, each with the statistics that it is to have."""
    yield table, wanted
    for partition in catalog.partitions(connection, table):
        yield partition, wanted.of(table, partition)


def for_partition(connection: BaseDatabaseWrapper, parent: Relation, partition: Relation) -> list[sql.Composed]:
    """The statements that give a new partition what its parent has of ours. Locks: on the partition only."""
    owner = catalog.other_owner(connection, parent)
    return [
        statement
        for statistics in ours(connection, parent)
        for statement in statistics.of(parent, partition).make(partition, owner)
    ]


def ours(connection: BaseDatabaseWrapper, table: Relation) -> list[ExtendedStatistics]:
    """What the table has that we made, by name."""
    letters = {letter: kind for kind, letter in KINDS.items()}
    with connection.cursor() as cursor:
        cursor.execute(query("statistics", "ours"), {"table": table.oid, "mark": GOES_BEFORE})
        return [
            ExtendedStatistics(name, tuple(columns), tuple(letters[kind] for kind in kinds))
            for name, kinds, columns in cursor.fetchall()
        ]


def _table(connection: BaseDatabaseWrapper, name: str) -> Relation:
    table = catalog.relation(connection, name)
    if table is None:
        raise TableMissing(name)
    return table


def _is_there(connection: BaseDatabaseWrapper, table: Relation, wanted: ExtendedStatistics) -> bool:
    """Whether the table has just these; StatisticsTaken if the name is something else's."""
    with connection.cursor() as cursor:
        cursor.execute(query("statistics", "named"), {"schema": table.schema, "name": wanted.name})
        row = cursor.fetchone()
    if row is None:
        return False
    oid, kinds, columns, has_expressions, statement = row
    if (oid, set(kinds), columns, has_expressions) != (
        table.oid,
        {KINDS[kind] for kind in wanted.kinds},
        sorted(wanted.columns),
        False,
    ):
        raise StatisticsTaken(wanted.name, statement, wanted.create(table).as_string(connection.connection))
    return True


def _calmly(connection: BaseDatabaseWrapper, table: Relation, statements: list[sql.Composed]) -> None:
    with_retries(connection, CALM, "SHARE UPDATE EXCLUSIVE", [table], lambda: execute(connection, statements))


def _gather(connection: BaseDatabaseWrapper, table: Relation, wanted: ExtendedStatistics) -> None:
    def analyze() -> None:
        with connection.cursor() as cursor:
            cursor.execute(wanted.gather(table))

    try:
        with_retries(connection, CALM, "SHARE UPDATE EXCLUSIVE", [table], analyze)
    except Error as error:
        raise build_failed(error, f"ANALYZE of {table}", is_open(connection)) from error
