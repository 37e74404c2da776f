"""A client deletes a row together with all that refers to it: then it goes from the copy too, in the same moment.

Copy and old table have their foreign keys while the live table is in use. A client who deletes a user for good has
deleted his sessions from the live table; the copy would have them until they are replayed, and the server would refuse.
"""

from django.db import IntegrityError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql

from pam.postgres import catalog, locks
from pam.postgres.catalog import Relation
from pam.postgres.errors import FOREIGN_KEY_VIOLATION, sqlstate
from pam.postgres.long_statement import execute_long
from pam.postgres.online_copy import build, facts
from pam.postgres.online_copy.capture import trigger_function
from pam.postgres.online_copy.dress import Dress, ForeignKey
from pam.postgres.online_copy.facts import text_of
from pam.postgres.online_copy.move import REFERENCED, Move, suffixed
from pam.postgres.online_copy.step import Lock, Step
from pam.postgres.sql import rows

# It runs when the row is locked and before it goes, so that no replay can bring back meanwhile what refers to it. Each
# key is logged: a client may put the row back before its foreign keys are looked at, and then the replay does so too.
# Which of our tables has the foreign key cannot change while a client writes to the referenced one: each step that
# adds, adopts or drops it locks that. The names may, by the swap, and what is the live table then is not to be touched:
# so the swap takes the log of keys for itself. (The root of a month is looked up as it is now; what a query of the
# catalog sees is, at REPEATABLE READ, as old as the transaction.)
FUNCTION_BODY = """
DECLARE
    ours record;
BEGIN
    LOCK TABLE {log} IN ACCESS SHARE MODE;
    FOR ours IN
        SELECT k.conrelid::regclass AS copy, pg_catalog.string_agg(pg_catalog.format(
            '($1).%I OPERATOR(%I.%s) t.%I', there.attname, n.nspname, o.oprname, here.attname), ' AND ') AS refers
        FROM (
            SELECT pg_catalog.to_regclass({target}) AS oid
            UNION ALL
            SELECT pg_catalog.to_regclass({old})
            UNION ALL
            SELECT i.inhrelid FROM pg_catalog.pg_inherits i
            WHERE i.inhparent = pg_catalog.to_regclass({stage})
                AND i.inhparent = pg_catalog.pg_partition_root(i.inhrelid)
        ) c
        JOIN pg_catalog.pg_constraint k ON k.conrelid = c.oid AND k.contype = 'f' AND k.confrelid = TG_RELID
        CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(k.conkey), pg_catalog.unnest(k.confkey),
            pg_catalog.unnest(k.conpfeqop)) AS pair (here, there, equal)
        JOIN pg_catalog.pg_attribute here ON here.attrelid = k.conrelid AND here.attnum = pair.here
        JOIN pg_catalog.pg_attribute there ON there.attrelid = k.confrelid AND there.attnum = pair.there
        JOIN pg_catalog.pg_operator o ON o.oid = pair.equal
        JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
        GROUP BY k.oid, k.conrelid
    LOOP
        EXECUTE pg_catalog.format('WITH gone AS (DELETE FROM %s t WHERE %s RETURNING t.%I AS id, t.%I AS time)'
            ' INSERT INTO %s (id, time) SELECT id, time FROM gone', ours.copy, ours.refers, {key}, {time}, {keys})
            USING OLD;
    END LOOP;
    RETURN OLD;
END
"""


def follow_steps(connection: BaseDatabaseWrapper, move: Move, dress: Dress) -> list[Step]:
    """What must be there before the copy has a foreign key: the function, and a trigger on each referenced table.

    Where triggers do not fire (`session_replication_role`), foreign keys are not looked at either.
    """
    if not dress.foreign_keys:
        return []
    return [
        Step(
            "make the function that lets the copy follow when a row goes that it refers to",
            tuple(_make_function(connection, move, dress)),
            facts.has_function(move.referenced_function),
        ),
        *(_follow(move, table) for table in dress.referenced),
    ]


def _make_function(connection: BaseDatabaseWrapper, move: Move, dress: Dress) -> list[sql.Composed]:
    body = sql.SQL(FUNCTION_BODY).format(
        log=move.keys,
        keys=sql.Literal(text_of(move.keys)),
        target=sql.Literal(text_of(move.target)),
        old=sql.Literal(text_of(move.old)),
        stage=sql.Literal(text_of(move.stage)),
        key=sql.Literal(move.key.string),
        time=sql.Literal(move.time.string),
    )
    return trigger_function(dress, move.referenced_function, body.as_string(connection.connection))


def _follow(move: Move, table: Relation) -> Step:
    # Of a DELETE alone: any trigger BEFORE UPDATE would lock the row of each user who is saved as if his key changed.
    return Step(
        f"let the copy follow when a row of {table} goes",
        (
            sql.SQL("CREATE TRIGGER {} BEFORE DELETE ON {} FOR EACH ROW EXECUTE FUNCTION {}()").format(
                _trigger(move), table.identifier, move.referenced_function
            ),
        ),
        facts.has_trigger(table.identifier, _trigger(move).string, move.referenced_function),
        locks=(Lock(table, "SHARE ROW EXCLUSIVE"),),
    )


def validate(connection: BaseDatabaseWrapper, move: Move, key: ForeignKey, table: sql.Identifier) -> None:
    """Look whether all rows of `table`, a month or the new table, keep the foreign key, which is there already.

    Rows whose user (say) went with them between their copy and the foreign key are taken out, and their keys logged:
    from then on none are left behind. Lock: ROW SHARE on the referenced table, SHARE UPDATE EXCLUSIVE on `table`; to
    take rows out, ROW EXCLUSIVE on it and on the log of keys.
    Raises LockUnavailable.
    """

    def run(*statements: sql.Composed) -> None:
        # Its commit reaches the disk: VACUUM marks no row as visible to all whose commit may yet be lost.
        with transaction.atomic(using=connection.alias):
            for statement in statements:
                execute_long(connection, statement)

    def validated() -> None:
        try:
            run(build.validate(key, table))
        except IntegrityError as error:
            if sqlstate(error) != FOREIGN_KEY_VIOLATION:
                raise
            run(_take_out(move, key, table), build.validate(key, table))

    ours = catalog.relation(connection, table.as_string(connection.connection))
    # Who is at the month, or has the referenced table for himself.
    wanted = [*([ours] if ours else []), key.references]
    locks.with_retries(connection, locks.CALM, "SHARE UPDATE EXCLUSIVE", wanted, validated)


def _take_out(move: Move, key: ForeignKey, table: sql.Identifier) -> sql.Composed:
    pairs = zip(map(sql.Identifier, key.columns), map(sql.Identifier, key.referenced_columns), strict=True)
    return sql.SQL(
        "WITH gone AS (DELETE FROM {} t WHERE {} AND NOT EXISTS (SELECT FROM {} r WHERE {})"
        " RETURNING t.{}, t.{}) INSERT INTO {} (id, time) SELECT * FROM gone"
    ).format(
        table,
        sql.SQL(" AND ").join(sql.SQL("t.{} IS NOT NULL").format(sql.Identifier(name)) for name in key.columns),
        key.references.identifier,
        sql.SQL(" AND ").join(sql.SQL("r.{} = t.{}").format(there, here) for here, there in pairs),
        move.key,
        move.time,
        move.keys,
    )


def followed(connection: BaseDatabaseWrapper, move: Move) -> list[Relation]:
    """The tables that have the trigger, whatever the live table's foreign keys are now."""
    function = f"{text_of(move.referenced_function)}()"
    return [Relation(*row) for row in rows(connection, "move", "followed", function=function)]


def leave_step(move: Move, table: Relation) -> Step:
    """The trigger goes when no copy and no old table has the foreign key any more."""
    return Step(
        f"no longer follow {table}",
        (sql.SQL("DROP TRIGGER {} ON {}").format(_trigger(move), table.identifier),),
        sql.SQL("SELECT NOT ({})").format(facts.has_trigger(table.identifier, _trigger(move).string)),
        locks=(Lock(table, "ACCESS EXCLUSIVE"),),
    )


def _trigger(move: Move) -> sql.Identifier:
    # A table of the same name in another schema may refer to the same one.
    return sql.Identifier(suffixed(f"{move.source.schema}_{move.source.name}", REFERENCED))
