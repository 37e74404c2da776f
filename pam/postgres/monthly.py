"""A month comes to a partitioned table that is in use.

The names, indexes and guards are those that a conversion gives its months (`pam.postgres.online_copy`). How a month
is retired is in `monthly_retired`, how the default partition is drained in `monthly_default`.
"""

from functools import partial

from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql

from pam.postgres import catalog, extended_statistics
from pam.postgres.catalog import Relation
from pam.postgres.errors import MenshunError, NameTaken, sqlstate
from pam.postgres.locks import with_locks
from pam.postgres.monthly_catalog import comment_of, default_partition, months_of
from pam.postgres.months import Month
from pam.postgres.online_copy import dress as wardrobe
from pam.postgres.online_copy.build import bounds, execute, marked
from pam.postgres.online_copy.dress import Dress, read_dress
from pam.postgres.online_copy.move import Move, suffixed
from pam.postgres.partitioned_index import partition_index_name

CHECK_VIOLATION = "23514"
INVALID_OBJECT_DEFINITION = "42P17"
# A month that was made and not attached yet; a run that finds one makes it anew.
UNFINISHED = "menshun: a month in the making"


class NotPartitioned(MenshunError):
    """A month was planned for a table that has become a plain one."""

    def __init__(self, table: Relation) -> None:
        super().__init__(
            f"{table} is a plain table, and got no month. See what is there: python manage.py pam_partitions status"
        )


class DefaultHasRows(MenshunError):
    """A month cannot be attached while the default partition holds rows of it."""


class MonthTaken(NameTaken):
    """What a month needs, its name or its time, is something else's."""

    def __init__(self, what: str, found: str) -> None:
        MenshunError.__init__(
            self,
            f"{what} is taken by {found}. Nothing was changed. See what is there: "
            "python manage.py pam_partitions status. Rename the other one or take it away, then run it again: "
            "python manage.py pgpartition",
        )


def add_month(connection: BaseDatabaseWrapper, move: Move, month: Month) -> bool:
    """Make sure that the partitioned table has `month`; returns whether it was made now.

    A partition with just this month's bound is accepted, whatever its name; what a killed run left is made anew.

    Locks: ACCESS EXCLUSIVE on the new month, SHARE ROW EXCLUSIVE on a referenced table, SHARE UPDATE EXCLUSIVE on the
    table, ACCESS EXCLUSIVE on the default partition, which is read: asked for briefly, in this order, held for a moment
    that grows with the rows of the default partition only. Raises NotPartitioned, MonthTaken,
    LockUnavailable, DefaultHasRows.
    """
    if not move.source.is_partitioned:
        raise NotPartitioned(move.source)
    if month in [there.month for there in months_of(connection, move.source)]:
        return False
    dress = read_dress(connection, move.source)
    make_unattached(connection, move, dress, month)
    # The new month first: a dump may have begun that reads it.
    wanted = [(table, "ACCESS EXCLUSIVE") for table in unattached(connection, move, [month])]
    wanted += [(key.references, "SHARE ROW EXCLUSIVE") for key in dress.foreign_keys]
    wanted.append((move.source, "SHARE UPDATE EXCLUSIVE"))
    default = default_partition(connection, move.source)
    if default:
        wanted.append((default, "ACCESS EXCLUSIVE"))
    try:
        with_locks(connection, wanted, partial(execute, connection, attach(move, month)))
    except Error as error:
        raise explained(error, move, month) from error
    return True


def unattached(connection: BaseDatabaseWrapper, move: Move, months: list[Month]) -> list[Relation]:
    """The tables of these months, as far as they are there."""
    names = [move.named(month.suffix).as_string(connection.connection) for month in months]
    return [table for name in names if (table := catalog.relation(connection, name))]


def make_unattached(connection: BaseDatabaseWrapper, move: Move, dress: Dress, month: Month) -> None:
    """Make the table of a month, which nobody uses yet, in place of one that a killed run left. Raises MonthTaken."""
    name = move.named(month.suffix)
    found = catalog.relation(connection, name.as_string(connection.connection))
    # Lock: ACCESS EXCLUSIVE on the left table, which nobody uses.
    left = []
    if found:
        _require_unfinished(connection, found)
        left.append(sql.SQL("DROP TABLE {}").format(name))
    table = Relation(0, move.source.schema, suffixed(move.source.name, month.suffix), catalog.PLAIN)
    gathered = extended_statistics.for_partition(connection, move.source, table)
    execute(connection, [*left, *new_month(move, dress, month), *gathered])


def attach(move: Move, month: Month) -> list[sql.Composed]:
    """The statements that let a month that was made take rows. Lock: SHARE UPDATE EXCLUSIVE on the table, ACCESS
    EXCLUSIVE on the month, which is empty, and on the default partition, whose rows are read."""
    name = move.named(month.suffix)
    return [
        sql.SQL("ALTER TABLE {} ATTACH PARTITION {} {}").format(move.source.identifier, name, bounds(month)),
        marked(name),
    ]


def explained(error: Error, move: Move, month: Month) -> Error | MenshunError:
    """What the server's refusal to attach a month means."""
    if sqlstate(error) == CHECK_VIOLATION:
        return DefaultHasRows(
            f"The default partition of {move.source} holds rows of {month.suffix}, so that this month cannot be made "
            "beside it. Move them: python manage.py pam_partitions drain"
        )
    if sqlstate(error) == INVALID_OBJECT_DEFINITION:
        return MonthTaken(f"The time of {month.suffix} in {move.source}", str(error).strip())
    return error


def new_month(move: Move, dress: Dress, month: Month) -> list[sql.Composed]:
    """The statements that make an empty month, with indexes and guards and without foreign keys: those it gets when it
    is attached, with a weaker lock on the referenced table than if it had them. Lock: ACCESS SHARE on the table."""
    table = Relation(0, move.source.schema, suffixed(move.source.name, month.suffix), catalog.PLAIN)
    like = sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL EXCLUDING INDEXES EXCLUDING STATISTICS)").format(
        table.identifier, move.source.identifier
    )
    return [
        like + wardrobe.options(dress),
        sql.SQL("COMMENT ON TABLE {} IS {}").format(table.identifier, sql.Literal(UNFINISHED)),
        *(
            wardrobe.create_key(move, key, table.identifier, partition_index_name(key.name, move.source, table))
            for key in dress.keys
        ),
        *(
            statement
            for trigger in dress.triggers
            if not trigger.for_each_row
            for statement in wardrobe.create_trigger(trigger, table.identifier)
        ),
        *wardrobe.statistics(dress, table.identifier),
        *wardrobe.owned(dress, table.identifier),
    ]


def _require_unfinished(connection: BaseDatabaseWrapper, found: Relation) -> None:
    """Only what a killed run of ours left, and nobody has put a row into, may be dropped."""
    comment, _ = comment_of(connection, found)
    if comment == UNFINISHED:
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(found.identifier))
            (has_rows,) = cursor.fetchone()
        if not has_rows:
            return
    about = f"with the comment {comment!r}" if comment else "without a comment"
    raise MonthTaken(f"The name {found}", f"a table that is no partition of ours and empty, {about}")
