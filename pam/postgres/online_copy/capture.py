"""Capture: from a moment on, the key of every row that somebody touches is written down."""

from dataclasses import dataclass
from datetime import datetime

from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql

from pam.postgres import catalog
from pam.postgres.catalog import Relation
from pam.postgres.months import Month
from pam.postgres.online_copy import dress as wardrobe
from pam.postgres.online_copy.dress import Dress
from pam.postgres.online_copy.facts import text_of
from pam.postgres.online_copy.move import CAPTURE_TRIGGER, TRUNCATE_TRIGGER, Move, Span
from pam.postgres.sql import query

# 16 MB at the usual block size, with the long values that lie beside the table: what a stop or a crash makes us copy
# again.
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


def working_tables(connection: BaseDatabaseWrapper, move: Move, dress: Dress, span: Span) -> list[sql.Composed]:
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
        sql.SQL(
            "CREATE TABLE {} (to_months bool NOT NULL, first_month date NOT NULL, last_month date NOT NULL,"
            " fingerprint text, settled_at timestamptz, verified_at timestamptz)"
        ).format(move.record),
        sql.SQL("INSERT INTO {} (to_months, first_month, last_month) VALUES ({}, {}, {})").format(
            move.record,
            sql.Literal(move.to_months),
            sql.Literal(span.first.start.date().isoformat()),
            sql.Literal(span.last.start.date().isoformat()),
        ),
        *wardrobe.owned(dress, move.keys),
        *trigger_function(dress, move.function, body.as_string(connection.connection)),
    ]


def trigger_function(dress: Dress, name: sql.Identifier, body: str) -> list[sql.Composed]:
    """A function that clients run by writing, with the rights of the live table's owner: not with those of who runs
    the conversion, which may be taken from him while it is prepared. Nobody else can make a trigger of it.
    """
    create = sql.SQL(
        "CREATE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
        " SET search_path = pg_catalog, pg_temp AS {}"
    ).format(name, sql.Literal(body))
    revoke = sql.SQL("REVOKE ALL ON FUNCTION {}() FROM PUBLIC").format(name)
    if dress.is_ours:
        return [create, revoke]
    return [create, revoke, sql.SQL("ALTER FUNCTION {}() OWNER TO {}").format(name, sql.Identifier(dress.owner))]


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


def begin_statements(connection: BaseDatabaseWrapper, move: Move, partitions: list[Relation]) -> list[sql.Composed]:
    """The triggers, what the table looks like with them, and the blocks to copy.

    The lock waits for the writers in flight and holds off others, so what lies in these blocks at the commit, or is
    logged from then on, is all there is. Lock: SHARE ROW EXCLUSIVE on the table and its partitions.
    """
    seen = sql.SQL(query("move", "fingerprint") % {"table": "{table}"}).format(table=sql.Literal(move.source.oid))
    return [
        *triggers(move, partitions),
        sql.SQL("UPDATE {} SET fingerprint = (\n{})").format(move.record, seen),
        list_chunks(move, partitions),
    ]


def list_chunks(move: Move, partitions: list[Relation]) -> sql.Composed:
    """The statement that lists the blocks of the table, or of its partitions, as chunks."""
    relations = [text_of(table.identifier) for table in (partitions if move.source.is_partitioned else [move.source])]
    return sql.SQL(
        "INSERT INTO {} SELECT row_number() OVER (ORDER BY r.relation, b.first), r.relation, b.first,"
        " b.first + s.blocks FROM unnest({relations}::text[]) AS r (relation)"
        " CROSS JOIN LATERAL (SELECT t.bytes, greatest(1, {size} * t.bytes / greatest(1, t.with_long_values))::int FROM"
        " (SELECT pg_catalog.pg_relation_size(r.relation::regclass), pg_catalog.pg_table_size(r.relation::regclass))"
        " AS t (bytes, with_long_values)) AS s (bytes, blocks)"
        " CROSS JOIN LATERAL pg_catalog.generate_series("
        "0, s.bytes / pg_catalog.current_setting('block_size')::int - 1, s.blocks) AS b (first)"
    ).format(move.chunks, size=sql.Literal(CHUNK_BLOCKS), relations=sql.Literal(relations))


def fingerprint(connection: BaseDatabaseWrapper, move: Move) -> str:
    """What the live table looks like now, in one word; another word: start again."""
    with connection.cursor() as cursor:
        cursor.execute(query("move", "fingerprint"), {"table": move.source.oid})
        (text,) = cursor.fetchone()
    return str(text)


@dataclass(frozen=True)
class Record:
    """The move that is under way. What it decided at its beginning stays, whatever the clock says when it goes on."""

    to_months: bool
    span: Span
    fingerprint: str | None
    verified_at: datetime | None


def recorded(connection: BaseDatabaseWrapper, move: Move) -> Record | None:
    """The record of the move that is under way, or None."""
    if catalog.relation(connection, move.record.as_string(connection.connection)) is None:
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("SELECT to_months, first_month, last_month, fingerprint, verified_at FROM {}").format(move.record)
        )
        to_months, first, last, fingerprint, verified_at = cursor.fetchone()
    span = Span(Month(first.year, first.month), Month(last.year, last.month))
    return Record(to_months, span, fingerprint, verified_at)
