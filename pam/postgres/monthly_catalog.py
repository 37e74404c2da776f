"""The months that a partitioned table has, read from the catalog by their bounds, not by their names."""

from dataclasses import dataclass

from django.db.backends.base.base import BaseDatabaseWrapper
from psqlextra.partitioning.constants import AUTO_PARTITIONED_COMMENT
from psycopg2 import sql

from pam.postgres.catalog import Relation
from pam.postgres.months import Month
from pam.postgres.sql import query


@dataclass(frozen=True)
class Partition:
    """A partition. `month` is None for the default one, and for one whose bound is not exactly a month of UTC.

    `rows` is the estimate of its statistics, 0 if it has none yet, unless the exact number was asked for.
    """

    relation: Relation
    bound: str
    is_default: bool
    month: Month | None
    rows: int
    bytes: int
    comment: str | None
    is_pending: bool

    @property
    def is_ours(self) -> bool:
        """Whether it bears django-postgres-extra's mark, which the months that we make bear."""
        return self.comment == AUTO_PARTITIONED_COMMENT

    @property
    def state(self) -> str:
        return "detach pending" if self.is_pending else "attached"


def months_of(connection: BaseDatabaseWrapper, table: Relation, *, exact: bool = False) -> list[Partition]:
    """The partitions of `table` in the order of time, the default one last; none for a plain table.

    Locks: none that anybody feels; with `exact` each partition is read, under ACCESS SHARE.
    """
    with connection.cursor() as cursor:
        cursor.execute(query("monthly", "months"), {"table": table.oid})
        found = []
        for *relation, bound, is_default, year, month, rows, size, comment, pending in cursor.fetchall():
            partition = Relation(*relation)
            if exact:
                cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(partition.identifier))
                (rows,) = cursor.fetchone()
            of = Month(year, month) if year else None
            found.append(Partition(partition, bound, is_default, of, max(rows, 0), size, comment, pending))
    return found


def comment_of(connection: BaseDatabaseWrapper, table: Relation) -> tuple[str | None, bool]:
    """The comment of a table, and whether it is a partition now."""
    with connection.cursor() as cursor:
        cursor.execute(query("monthly", "comment"), {"table": table.oid})
        comment, is_partition = cursor.fetchone() or (None, False)
    return comment, is_partition


def default_partition(connection: BaseDatabaseWrapper, table: Relation) -> Relation | None:
    """The default partition of `table`, or None."""
    with connection.cursor() as cursor:
        cursor.execute(query("monthly", "default"), {"table": table.oid})
        row = cursor.fetchone()
    return Relation(*row) if row else None
