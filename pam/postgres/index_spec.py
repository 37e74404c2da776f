"""An index that a migration wants, whatever the state it finds: how to make it, and whether one that is there is it."""

from dataclasses import dataclass

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.ddl_references import Statement
from psycopg2 import sql

from pam.postgres import catalog
from pam.postgres.catalog import Index, IndexDefinition, Relation
from pam.postgres.errors import NameTaken
from pam.postgres.locks import BRIEF, with_retries

TWIN = "menshun_index_twin"


@dataclass(frozen=True)
class IndexSpec:
    """An index: its name, the quoted name of its table, and the plain CREATE INDEX statement that Django makes."""

    name: str
    table: str
    statement: Statement

    def create(self, name: str, table: str, *, concurrently: bool = False, only: bool = False) -> str:
        """The statement that makes this index as `name` on `table` (both quoted).

        Locks on the table: SHARE UPDATE EXCLUSIVE with `concurrently`, otherwise SHARE.
        """
        # CONCURRENTLY stands before the name and ONLY before the table, in every form of CREATE INDEX.
        parts = {
            **self.statement.parts,
            "name": f"CONCURRENTLY {name}" if concurrently else name,
            "table": f"ONLY {table}" if only else table,
        }
        return str(Statement(self.statement.template, **parts))


def create_sql(
    connection: BaseDatabaseWrapper,
    spec: IndexSpec,
    name: str,
    table: sql.Identifier,
    *,
    concurrently: bool = False,
    only: bool = False,
) -> str:
    """`spec.create` with both names quoted by the driver, for a table that the catalog named."""
    driver = connection.connection
    return spec.create(
        sql.Identifier(name).as_string(driver), table.as_string(driver), concurrently=concurrently, only=only
    )


def require_same(connection: BaseDatabaseWrapper, spec: IndexSpec, table: Relation, found: Index) -> None:
    """Raise NameTaken unless `found` is the index that `spec` would make on `table`. Changes nothing."""
    if found.table_oid != table.oid or found.definition != _wanted_definition(connection, spec, table):
        raise NameTaken(found.name, found.statement, create_sql(connection, spec, found.name, table.identifier))


def require_free(connection: BaseDatabaseWrapper, spec: IndexSpec, table: Relation, name: str) -> None:
    """Raise NameTaken if a table, view or sequence has the name that the index is to have. Changes nothing."""
    other = catalog.relation(connection, sql.Identifier(table.schema, name).as_string(connection.connection))
    if other:
        wanted = create_sql(connection, spec, name, table.identifier)
        raise NameTaken(name, f"{other} (pg_class.relkind {other.kind})", wanted)


def _wanted_definition(connection: BaseDatabaseWrapper, spec: IndexSpec, table: Relation) -> IndexDefinition:
    """What the server makes of the wanted statement, read from an empty twin of the table in a transaction undone.

    The server normalises a definition as it stores it, so two texts cannot be compared but two catalog rows can.
    Locks: ACCESS SHARE on the table while the twin's columns are read.
    """
    twin = sql.Identifier(table.schema, TWIN)

    def read() -> Index | None:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute(sql.SQL("CREATE TABLE {} (LIKE {})").format(twin, table.identifier))
            cursor.execute(create_sql(connection, spec, f"{TWIN}_index", twin))
            wanted = catalog.index(connection, table.schema, f"{TWIN}_index")
            transaction.set_rollback(True, using=connection.alias)
        return wanted

    wanted = with_retries(connection, BRIEF, "ACCESS SHARE", [table], read)
    assert wanted is not None, "the index was made in this very transaction"  # noqa: S101
    return wanted.definition
