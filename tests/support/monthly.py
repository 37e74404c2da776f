"""A monthly toy table with a parent, a guard and a default partition: what months come to and go from."""

from datetime import UTC, datetime

from django.db import connections
from psycopg2 import sql

from pam.postgres import catalog
from pam.postgres.months import Month
from pam.postgres.online_copy.build import bounds, marked
from pam.postgres.online_copy.move import Layout, Move

NOW = datetime(2026, 1, 30, 13, 37, 11, tzinfo=UTC)

REFUSE = """
CREATE FUNCTION {schema}.refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '%% is refused', TG_OP; END $$
"""


def make(
    alias: str, table: str = "notes", schema: str = "public", *, default: bool = True, guarded: bool = True
) -> Move:
    """The table, its month January 2026, and `people`, which it references; guarded against UPDATE and DELETE."""
    name, people = sql.Identifier(schema, table), sql.Identifier(schema, "people")
    january = sql.Identifier(schema, f"{table}_2026_01")
    statements = [
        sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)),
        sql.SQL("CREATE TABLE {} (id bigint PRIMARY KEY)").format(people),
        sql.SQL("INSERT INTO {} VALUES (1)").format(people),
        sql.SQL(
            "CREATE TABLE {} (id bigint, at timestamptz NOT NULL, person bigint REFERENCES {}, text text,"
            " PRIMARY KEY (id, at), CHECK (id > 0)) PARTITION BY RANGE (at)"
        ).format(name, people),
        sql.SQL("CREATE INDEX {} ON {} (text) WHERE id > 5").format(sql.Identifier(f"ix_{table}_text"), name),
        sql.SQL("CREATE TABLE {} PARTITION OF {} {} WITH (fillfactor = 77)").format(
            january, name, bounds(Month(2026, 1))
        ),
        marked(january),
    ]
    if default:
        statements.append(
            sql.SQL("CREATE TABLE {} PARTITION OF {} DEFAULT").format(sql.Identifier(schema, f"{table}_default"), name)
        )
    if guarded:
        refuse = sql.SQL(REFUSE.replace("%%", "%")).format(schema=sql.Identifier(schema))
        call = sql.SQL(" EXECUTE FUNCTION {}.refuse()").format(sql.Identifier(schema))
        statements += [
            refuse,
            sql.SQL("CREATE TRIGGER rows BEFORE UPDATE OR DELETE ON {} FOR EACH ROW").format(name) + call,
            sql.SQL("ALTER TABLE {} ENABLE ALWAYS TRIGGER rows").format(name),
        ]
        # The server clones no statement trigger.
        for one in (name, january, *([sql.Identifier(schema, f"{table}_default")] if default else [])):
            statements += [
                sql.SQL("CREATE TRIGGER whole BEFORE TRUNCATE ON {} FOR EACH STATEMENT").format(one) + call,
                sql.SQL("ALTER TABLE {} ENABLE ALWAYS TRIGGER whole").format(one),
            ]
    with connections[alias].cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    source = catalog.relation(connections[alias], name.as_string(connections[alias].connection))
    assert source is not None
    return Move(source, Layout(source.name, "at", ("id",), {}), to_months=True)


def add(alias: str, move: Move, number: int, at: datetime | str) -> None:
    """One row, whose time may be a text that only PostgreSQL understands."""
    with connections[alias].cursor() as cursor:
        cursor.execute(
            sql.SQL("INSERT INTO {} VALUES (%s, %s, 1, 'note')").format(move.source.identifier), [number, at]
        )


def rows(alias: str, move: Move) -> list[tuple[str, ...]]:
    """All rows as texts, by id."""
    with connections[alias].cursor() as cursor:
        cursor.execute(sql.SQL("SELECT t::text FROM {} t ORDER BY id").format(move.source.identifier))
        return list(cursor.fetchall())


def names(alias: str, move: Move) -> dict[str, str]:
    """Which row lies in which partition: id to name."""
    with connections[alias].cursor() as cursor:
        cursor.execute(
            sql.SQL(
                "SELECT t.id::text, c.relname FROM {} t JOIN pg_class c ON c.oid = t.tableoid ORDER BY t.id"
            ).format(move.source.identifier)
        )
        return dict(cursor.fetchall())
