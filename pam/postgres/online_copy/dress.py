"""What a table wears beside its rows: read from the live table, put on the one that takes its place."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql

from pam.postgres.catalog import Relation
from pam.postgres.online_copy.errors import UnknownShape
from pam.postgres.online_copy.move import Move
from pam.postgres.sql import query


@dataclass(frozen=True)
class Column:
    """A column that `INSERT` may name, unless it is generated."""

    name: str
    type: str
    generated: str
    identity: str
    statistics: int
    options: list[str]


@dataclass(frozen=True)
class Key:
    """An index of the live table. `constraint` is p, u or empty; `method` is its definition from USING on.

    `comment` is the index's, `remark` its constraint's.
    """

    name: str
    constraint: str
    unique: bool
    nulls_not_distinct: bool
    columns: tuple[str, ...]
    comment: str | None
    remark: str | None
    method: str

    @property
    def access_method(self) -> str:
        """The name behind USING: btree, gin, ..."""
        return self.method.split()[1]


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key of the live table, and the table that it references."""

    name: str
    definition: str
    comment: str | None
    columns: tuple[str, ...]
    referenced_columns: tuple[str, ...]
    references: Relation


@dataclass(frozen=True)
class Trigger:
    """A trigger: its definition is `head ON table tail`."""

    name: str
    for_each_row: bool
    enabled: str
    comment: str | None
    function: str
    head: str
    tail: str


@dataclass(frozen=True)
class Grant:
    """A privilege on the table, or on one column; `grantee` None is PUBLIC."""

    privilege: str
    column: str | None
    grantee: str | None
    grantable: bool


@dataclass(frozen=True)
class Dress:
    """All of it."""

    columns: tuple[Column, ...]
    keys: tuple[Key, ...]
    foreign_keys: tuple[ForeignKey, ...]
    triggers: tuple[Trigger, ...]
    grants: tuple[Grant, ...]
    revoked: tuple[str | None, ...]
    owner: str
    comment: str | None
    is_ours: bool
    options: tuple[str, ...]

    @property
    def column_list(self) -> sql.Composed:
        """The columns that are copied; the server makes the generated ones anew."""
        return sql.SQL(", ").join(sql.Identifier(column.name) for column in self.columns if not column.generated)

    @property
    def referenced(self) -> list[Relation]:
        """The tables that the foreign keys reference, each once."""
        return list({key.references.oid: key.references for key in self.foreign_keys}.values())

    def type_of(self, name: str) -> sql.SQL:
        """The type of a column, as the server spells it."""
        return sql.SQL(next(column.type for column in self.columns if column.name == name))


def read_dress(connection: BaseDatabaseWrapper, table: Relation) -> Dress:
    """What `table` wears now. Takes ACCESS SHARE on the catalog only. Raises UnknownShape."""

    def rows(name: str) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(query("move", name), {"table": table.oid})
            return list(cursor.fetchall())

    (owner, comment, is_ours, options) = rows("rest")[0]
    return Dress(
        columns=tuple(Column(*row) for row in rows("columns")),
        keys=tuple(
            Key(name, constraint, unique, nulls, tuple(columns), comment, remark, _after(prefix, definition))
            for name, constraint, unique, nulls, columns, comment, remark, prefix, definition in rows("indexes")
        ),
        foreign_keys=tuple(
            ForeignKey(name, text, comment, tuple(columns), tuple(referenced), Relation(*to))
            for name, text, comment, columns, referenced, *to in rows("foreign_keys")
        ),
        triggers=tuple(
            Trigger(name, each_row, enabled, comment, function, *_around(on, definition))
            for name, each_row, enabled, comment, function, definition, on in rows("triggers")
        ),
        grants=tuple(Grant(*row) for row in rows("grants")),
        revoked=tuple(role for (role,) in rows("revoked")),
        owner=owner,
        comment=comment,
        is_ours=is_ours,
        options=tuple(options),
    )


def _after(prefix: str, definition: str) -> str:
    """Cut off what is known to the letter; the rest of the server's text is taken as it stands."""
    if not definition.startswith(prefix):
        raise UnknownShape(f"The server describes an index otherwise than this program knows: {definition}")
    return definition.removeprefix(prefix)


def _around(on: str, definition: str) -> tuple[str, str]:
    head, separator, tail = definition.partition(on)
    if not separator or on in tail:
        raise UnknownShape(f"The server describes a trigger otherwise than this program knows: {definition}")
    return head, tail


def key_columns(move: Move, key: Key) -> tuple[str, ...]:
    """The columns of a primary key or unique constraint in the table as it shall be."""
    layout = move.layout
    if move.to_months:
        return key.columns if layout.time in key.columns else (*key.columns, layout.time)
    return layout.primary_key if key.constraint == "p" else layout.uniques.get(key.name, key.columns)


def create_key(move: Move, key: Key, table: sql.Identifier, name: str) -> sql.Composed:
    """The statement that gives `table` this index, under `name`. Lock: SHARE (a constraint: ACCESS EXCLUSIVE) on it."""
    if key.constraint:
        kind = "PRIMARY KEY" if key.constraint == "p" else "UNIQUE"
        if key.nulls_not_distinct:
            kind += " NULLS NOT DISTINCT"
        return sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {} ({})").format(
            table,
            sql.Identifier(name),
            sql.SQL(kind),
            sql.SQL(", ").join(map(sql.Identifier, key_columns(move, key))),
        )
    unique = sql.SQL("UNIQUE " if key.unique else "")
    return sql.SQL("CREATE {}INDEX {} ON {} {}").format(unique, sql.Identifier(name), table, sql.SQL(key.method))


def create_unique(move: Move, key: Key, table: sql.Identifier, name: str) -> sql.Composed:
    """The index of a constraint without the constraint. Lock: SHARE on `table`, so that others are built beside it."""
    return sql.SQL("CREATE UNIQUE INDEX {} ON {} ({}){}").format(
        sql.Identifier(name),
        table,
        sql.SQL(", ").join(map(sql.Identifier, key_columns(move, key))),
        sql.SQL(" NULLS NOT DISTINCT" if key.nulls_not_distinct else ""),
    )


def constrain(key: Key, table: sql.Identifier, name: str) -> sql.Composed:
    """Make the unique index `name` a constraint. Lock: ACCESS EXCLUSIVE on `table`, for a moment."""
    return sql.SQL("ALTER TABLE {} ADD CONSTRAINT {name} {} USING INDEX {name}").format(
        table, sql.SQL("PRIMARY KEY" if key.constraint == "p" else "UNIQUE"), name=sql.Identifier(name)
    )


def index_comment(move: Move, key: Key, name: str) -> list[sql.Composed]:
    """The comment of an index, for the one that takes its place under `name`. Lock: SHARE UPDATE EXCLUSIVE on that."""
    if key.comment is None:
        return []
    index = sql.Identifier(move.source.schema, name)
    return [sql.SQL("COMMENT ON INDEX {} IS {}").format(index, sql.Literal(key.comment))]


def remark(key: Key, table: sql.Identifier, name: str) -> list[sql.Composed]:
    """The comment of an index's constraint, for the one that takes its place under `name`."""
    return comment_on("CONSTRAINT", name, table, key.remark)


def comment_on(kind: str, name: str, table: sql.Identifier, comment: str | None) -> list[sql.Composed]:
    """The comment of a constraint or trigger, if it has one. Lock: at most SHARE UPDATE EXCLUSIVE on `table`."""
    if comment is None:
        return []
    return [
        sql.SQL("COMMENT ON {} {} ON {} IS {}").format(sql.SQL(kind), sql.Identifier(name), table, sql.Literal(comment))
    ]


def create_trigger(trigger: Trigger, table: sql.Identifier) -> list[sql.Composed]:
    """The statements that give `table` this trigger, enabled as it was. Lock: SHARE ROW EXCLUSIVE on it."""
    name = sql.Identifier(trigger.name)
    enable = {"A": "ENABLE ALWAYS", "R": "ENABLE REPLICA", "D": "DISABLE", "O": "ENABLE"}[trigger.enabled]
    return [
        sql.SQL("{} ON {} {}").format(sql.SQL(trigger.head), table, sql.SQL(trigger.tail)),
        sql.SQL("ALTER TABLE {} {} TRIGGER {}").format(table, sql.SQL(enable), name),
        *comment_on("TRIGGER", trigger.name, table, trigger.comment),
    ]


def wear(move: Move, dress: Dress, table: sql.Identifier) -> list[sql.Composed]:
    """Owner, comment, privileges and statistics targets. Lock: ACCESS EXCLUSIVE on `table`, which nobody uses yet."""
    statements = _grants(dress, table)
    if dress.comment is not None:
        statements.append(sql.SQL("COMMENT ON TABLE {} IS {}").format(table, sql.Literal(dress.comment)))
    statements += statistics(dress, table)
    return [*statements, *owned(dress, table)]


def statistics(dress: Dress, table: sql.Identifier) -> list[sql.Composed]:
    """The columns' statistics targets and options such as n_distinct, where they are not the default."""
    options = [
        sql.SQL("ALTER TABLE {} ALTER COLUMN {} SET ({})").format(
            table, sql.Identifier(column.name), _assigned(column.options)
        )
        for column in dress.columns
        if column.options
    ]
    return options + [
        sql.SQL("ALTER TABLE {} ALTER COLUMN {} SET STATISTICS {}").format(
            table, sql.Identifier(column.name), sql.Literal(column.statistics)
        )
        for column in dress.columns
        if column.statistics >= 0
    ]


def owned(dress: Dress, table: sql.Identifier) -> list[sql.Composed]:
    """The owner, where it is not who runs this."""
    if dress.is_ours:
        return []
    return [sql.SQL("ALTER TABLE {} OWNER TO {}").format(table, sql.Identifier(dress.owner))]


def options(dress: Dress) -> sql.Composable:
    """The storage parameters as CREATE TABLE takes them. A partitioned table has none of its own."""
    if not dress.options:
        return sql.SQL("")
    return sql.SQL(" WITH ({})").format(_assigned(dress.options))


def _assigned(options: Iterable[str]) -> sql.Composed:
    """Options as the catalog has them, as a statement takes them."""
    pairs = (option.split("=", 1) for option in options)
    return sql.SQL(", ").join(sql.SQL("{} = {}").format(sql.SQL(name), sql.Literal(value)) for name, value in pairs)


def _grants(dress: Dress, table: sql.Identifier) -> list[sql.Composed]:
    """What the live table grants and nothing else, whatever ALTER DEFAULT PRIVILEGES gives to a new one."""
    roles = sql.SQL(", ").join([*(sql.Identifier(role) for role in dress.revoked if role), sql.SQL("PUBLIC")])
    statements = [sql.SQL("REVOKE ALL ON {} FROM {}").format(table, roles)] if dress.revoked else []
    for grant in dress.grants:
        column = sql.SQL(" ({})").format(sql.Identifier(grant.column)) if grant.column else sql.SQL("")
        statements.append(
            sql.SQL("GRANT {}{} ON {} TO {}{}").format(
                sql.SQL(grant.privilege),
                column,
                table,
                sql.Identifier(grant.grantee) if grant.grantee else sql.SQL("PUBLIC"),
                sql.SQL(" WITH GRANT OPTION" if grant.grantable else ""),
            )
        )
    return statements
