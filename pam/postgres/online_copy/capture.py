"""Capture: from a moment on, the key of every row that somebody touches is written down."""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql

from pam.postgres import catalog
from pam.postgres.catalog import Relation
from pam.postgres.locks import with_table_locks
from pam.postgres.online_copy.dress import Dress
from pam.postgres.online_copy.move import CAPTURE_TRIGGER, TRUNCATE_TRIGGER, Move
from pam.postgres.sql import query

# 16 MB at the usual block size: what a stop or a crash makes us copy again.
CHUNK_BLOCKS = 2048

# SECURITY DEFINER: the clients who write to the table need no right on the log.
FUNCTION_BODY = """
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        INSERT INTO {keys} (id) VALUES (NULL);
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO {keys} (id, time) VALUES (NEW.{key}, NEW.{time});
    ELSE
        INSERT INTO {keys} (id, time) VALUES (OLD.{key}, OLD.{time});
        IF TG_OP = 'UPDATE' AND (NEW.{key}, NEW.{time}) IS DISTINCT FROM (OLD.{key}, OLD.{time}) THEN
            INSERT INTO {keys} (id, time) VALUES (NEW.{key}, NEW.{time});
        END IF;
    END IF;
    RETURN NULL;
END
"""


def working_tables(connection: BaseDatabaseWrapper, move: Move, dress: Dress) -> list[sql.Composed]:
    """The log of keys, the list of chunks, the record, and the trigger's function. Lock: none on a table in use."""
    body = sql.SQL(FUNCTION_BODY).format(keys=move.keys, key=move.key, time=move.time)
    id_type, time_type = dress.type_of(move.layout.primary_key[0]), dress.type_of(move.layout.time)
    return [
        sql.SQL(
            "CREATE TABLE {} (n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id {}, time {})"
            " WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000)"
        ).format(move.keys, id_type, time_type),
        sql.SQL(
            "CREATE TABLE {} (n int PRIMARY KEY, relation text NOT NULL, first_block bigint NOT NULL,"
            " end_block bigint NOT NULL, rows bigint)"
        ).format(move.chunks),
        sql.SQL("CREATE TABLE {} (to_months bool NOT NULL, fingerprint text, verified_at timestamptz)").format(
            move.record
        ),
        sql.SQL("INSERT INTO {} (to_months) VALUES ({})").format(move.record, sql.Literal(move.to_months)),
        sql.SQL(
            "CREATE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
            " SET search_path = pg_catalog, pg_temp AS {}"
        ).format(
            move.function,
            sql.Literal(body.as_string(connection.connection)),
        ),
    ]


def triggers(move: Move, partitions: list[Relation]) -> list[sql.Composed]:
    """The triggers of the capture, ENABLE ALWAYS: rows that replication brings count too.

    Lock: SHARE ROW EXCLUSIVE on the table and its partitions, which writers wait for. A row trigger goes to the
    partitions by itself, one for TRUNCATE does not.
    """
    table = move.source.identifier
    statements = [
        sql.SQL("CREATE TRIGGER {} AFTER INSERT OR UPDATE OR DELETE ON {} FOR EACH ROW EXECUTE FUNCTION {}()").format(
            sql.Identifier(CAPTURE_TRIGGER), table, move.function
        ),
        _always(table, CAPTURE_TRIGGER),
    ]
    for truncated in (table, *(partition.identifier for partition in partitions)):
        statements += [
            sql.SQL("CREATE TRIGGER {} AFTER TRUNCATE ON {} FOR EACH STATEMENT EXECUTE FUNCTION {}()").format(
                sql.Identifier(TRUNCATE_TRIGGER), truncated, move.function
            ),
            _always(truncated, TRUNCATE_TRIGGER),
        ]
    return statements


def _always(table: sql.Identifier, trigger: str) -> sql.Composed:
    return sql.SQL("ALTER TABLE {} ENABLE ALWAYS TRIGGER {}").format(table, sql.Identifier(trigger))


def begin(connection: BaseDatabaseWrapper, move: Move) -> None:
    """Create the triggers and list the blocks to copy, in one short transaction.

    The lock waits for the writers in flight and holds off others, so what lies in these blocks at the commit, or is
    logged from then on, is all there is. Lock: SHARE ROW EXCLUSIVE on the table, asked for briefly.
    """
    partitions = catalog.partitions(connection, move.source)

    def capture() -> None:
        with connection.cursor() as cursor:
            for statement in triggers(move, partitions):
                cursor.execute(statement)
            cursor.execute(
                sql.SQL("UPDATE {} SET fingerprint = %s").format(move.record), [fingerprint(connection, move)]
            )
            cursor.execute(list_chunks(move, partitions))

    with_table_locks(connection, [move.source], "SHARE ROW EXCLUSIVE", capture)


def list_chunks(move: Move, partitions: list[Relation]) -> sql.Composed:
    """The statement that lists the blocks of the table, or of its partitions, as chunks."""
    relations = [str_of(relation) for relation in partitions] if move.source.is_partitioned else [str_of(move.source)]
    return sql.SQL(
        "INSERT INTO {} SELECT row_number() OVER (ORDER BY r.relation, b.first), r.relation, b.first, b.first + {size}"
        " FROM unnest({relations}::text[]) AS r (relation), pg_catalog.generate_series(0, pg_catalog.pg_relation_size("
        "r.relation::regclass) / pg_catalog.current_setting('block_size')::int - 1, {size}) AS b (first)"
    ).format(move.chunks, size=sql.Literal(CHUNK_BLOCKS), relations=sql.Literal(relations))


def str_of(relation: Relation) -> str:
    """The quoted, qualified name as text, as regclass reads it."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in (relation.schema, relation.name))


def fingerprint(connection: BaseDatabaseWrapper, move: Move) -> str:
    """What the live table looks like now, in one word; another word: start again."""
    with connection.cursor() as cursor:
        cursor.execute(query("move", "fingerprint"), {"table": move.source.oid})
        (text,) = cursor.fetchone()
    return str(text)


def recorded(connection: BaseDatabaseWrapper, move: Move) -> tuple[bool, str | None, Any] | None:
    """Direction, fingerprint and time of verification of the move that is under way, or None."""
    if catalog.relation(connection, move.record.as_string(connection.connection)) is None:
        return None
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT to_months, fingerprint, verified_at FROM {}").format(move.record))
        row: tuple[bool, str | None, Any] = cursor.fetchone()
    return row
