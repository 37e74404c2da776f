"""What a filled table still needs: indexes, foreign keys, a vacuum; and a month its place in the new table."""

from collections.abc import Callable
from functools import partial

from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql

from pam.postgres import catalog
from pam.postgres.catalog import Relation
from pam.postgres.locks import with_locks
from pam.postgres.online_copy import dress as wardrobe
from pam.postgres.online_copy.build import DEFAULT_SUFFIX, execute, foreign_key
from pam.postgres.online_copy.dress import Dress, Key
from pam.postgres.online_copy.move import TARGET, Move, suffixed
from pam.postgres.partitioned_index import partition_index_name

# Proves a month's bound, so that attaching it does not read its rows; gone once it is attached.
BOUND = "menshun_bound"


def months_left(connection: BaseDatabaseWrapper, move: Move) -> list[Relation]:
    """The partitions that are not in the new table yet. The default one is last: once it is attached, the server
    compares each other one with its rows."""
    loose = catalog.partitions(connection, _relation(connection, move.stage))
    default = suffixed(move.source.name, DEFAULT_SUFFIX)
    return sorted(loose, key=lambda month: month.name == default)


def bound_of(connection: BaseDatabaseWrapper, month: Relation) -> tuple[str, str]:
    """The bound of a partition as ATTACH takes it, and as a condition; both as the server writes them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_catalog.pg_get_expr(c.relpartbound, c.oid), pg_catalog.pg_get_partition_constraintdef(c.oid)"
            " FROM pg_catalog.pg_class c WHERE c.oid = %s",
            [month.oid],
        )
        bound, condition = cursor.fetchone()
    return str(bound), str(condition or "")


def finish_month(connection: BaseDatabaseWrapper, move: Move, dress: Dress, month: Relation) -> int:
    """Give a filled month its indexes, foreign keys and statistics, and attach it to the new table.

    Locks: none that anybody waits for, but for each foreign key SHARE ROW EXCLUSIVE on the referenced table, and to
    attach the month ACCESS EXCLUSIVE on it: both asked for briefly, held for a moment whatever the rows.
    """
    have = wardrobe.read_dress(connection, month)
    for key in dress.keys:
        name = partition_index_name(key.name, move.source, month)
        if name not in {other.name for other in have.keys}:
            execute(connection, [wardrobe.create_key(move, key, month.identifier, name)])
    _truncate_guards(connection, dress, month, have)
    _foreign_keys(connection, dress, month.identifier, have)
    with connection.cursor() as cursor:
        # Lock: SHARE UPDATE EXCLUSIVE on the month. Its visibility map and statistics are there before the swap.
        cursor.execute(sql.SQL("VACUUM (ANALYZE) {}").format(month.identifier))
    return 1


def attach(connection: BaseDatabaseWrapper, move: Move, dress: Dress, month: Relation) -> None:
    """Take a month from the stage and give it to the new table, in one transaction."""
    bound, condition = bound_of(connection, month)
    statements = [
        sql.SQL("ALTER TABLE {} DETACH PARTITION {}").format(move.stage, month.identifier),
        sql.SQL("ALTER TABLE {} ATTACH PARTITION {} {}").format(move.target, month.identifier, sql.SQL(bound)),
    ]
    if condition and bound != "DEFAULT":
        proof = sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} CHECK ({})").format(
            month.identifier, sql.Identifier(BOUND), sql.SQL(condition)
        )
        if BOUND not in _checks(connection, month):
            # Lock: ACCESS EXCLUSIVE on the month, which nobody uses; reads its rows once.
            execute(connection, [proof])
        statements.append(sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(month.identifier, sql.Identifier(BOUND)))
    referenced = {key.references.oid: key.references for key in dress.foreign_keys}
    _under_locks(
        connection,
        # A partition that has the foreign key is adopted: the server drops its triggers on the referenced table.
        [(table, "ACCESS EXCLUSIVE") for table in referenced.values()],
        lambda: execute(connection, statements),
    )


def finish_plain(connection: BaseDatabaseWrapper, move: Move, key: Key) -> int:
    """Give the plain target one index. Lock: SHARE (a constraint: ACCESS EXCLUSIVE) on the target, nobody's yet."""
    name = suffixed(key.name, TARGET)
    if catalog.index(connection, move.source.schema, name) is None:
        execute(
            connection, [wardrobe.create_key(move, key, move.target, name), *wardrobe.index_comment(move, key, name)]
        )
    return 1


def complete_plain(connection: BaseDatabaseWrapper, move: Move, dress: Dress) -> None:
    """Comments, guards and foreign keys of the plain target, then its vacuum. Locks: as `finish_month`."""
    have = wardrobe.read_dress(connection, _relation(connection, move.target))
    guards = [trigger for trigger in dress.triggers if trigger.name not in {other.name for other in have.triggers}]
    for trigger in guards:
        execute(connection, wardrobe.create_trigger(trigger, move.target))
    _foreign_keys(connection, dress, move.target, have)
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("VACUUM (ANALYZE) {}").format(move.target))


def _truncate_guards(connection: BaseDatabaseWrapper, dress: Dress, month: Relation, have: Dress) -> None:
    """Row triggers come with the attachment; those for a statement do not, and a month could be emptied directly."""
    for trigger in dress.triggers:
        if not trigger.for_each_row and trigger.name not in {other.name for other in have.triggers}:
            execute(connection, wardrobe.create_trigger(trigger, month.identifier))


def _foreign_keys(connection: BaseDatabaseWrapper, dress: Dress, table: sql.Identifier, have: Dress) -> None:
    for key in dress.foreign_keys:
        if key.name not in {other.name for other in have.foreign_keys}:
            add = partial(execute, connection, [foreign_key(key, table, validated=False)])
            _under_locks(connection, [(key.references, "SHARE ROW EXCLUSIVE")], add)
        execute(connection, [validate(key, table)])


def validate(key: wardrobe.ForeignKey, table: sql.Identifier) -> sql.Composed:
    """Lock: ROW SHARE on the referenced table, SHARE UPDATE EXCLUSIVE on `table`: nobody waits while rows are read."""
    return sql.SQL("ALTER TABLE {} VALIDATE CONSTRAINT {}").format(table, sql.Identifier(key.name))


def _under_locks(
    connection: BaseDatabaseWrapper, wanted: list[tuple[Relation, str]], action: Callable[[], None]
) -> None:
    if wanted:
        with_locks(connection, wanted, action)
    else:
        action()


def _checks(connection: BaseDatabaseWrapper, table: Relation) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT conname FROM pg_catalog.pg_constraint WHERE conrelid = %s", [table.oid])
        return {name for (name,) in cursor.fetchall()}


def _relation(connection: BaseDatabaseWrapper, name: sql.Identifier) -> Relation:
    found = catalog.relation(connection, name.as_string(connection.connection))
    if found is None:
        raise LookupError(f"{name} is gone")
    return found
