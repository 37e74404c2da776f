"""An index that a migration wants, whatever the state it finds: how to make it, and whether one that is there is it."""

from dataclasses import dataclass, replace

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.ddl_references import Statement
from django.db.backends.utils import CursorWrapper
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
    if found.table_oid != table.oid or not _is_same(connection, spec, table, found.definition):
        raise NameTaken(found.name, found.statement, create_sql(connection, spec, found.name, table.identifier))


def require_free(connection: BaseDatabaseWrapper, spec: IndexSpec, table: Relation, name: str) -> None:
    """Raise NameTaken if a table, view or sequence has the name that the index is to have. Changes nothing."""
    other = catalog.relation(connection, sql.Identifier(table.schema, name).as_string(connection.connection))
    if other:
        wanted = create_sql(connection, spec, name, table.identifier)
        raise NameTaken(name, f"{other} (pg_class.relkind {other.kind})", wanted)


def _is_same(connection: BaseDatabaseWrapper, spec: IndexSpec, table: Relation, found: IndexDefinition) -> bool:
    """Whether the server would make of the wanted statement what is there, told by an empty twin of the table.

    The server normalises a definition as it stores it, so two texts cannot be compared but two catalog rows can. Only
    a condition is stored as it was written (`x = true` for `x`); what the planner makes of it says whether it is the
    same. The twin is made in a transaction that is undone. Lock: ACCESS SHARE on the table while its columns are read.
    """
    twin = sql.Identifier(table.schema, TWIN)

    def compare() -> bool:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute(sql.SQL("CREATE TABLE {} (LIKE {})").format(twin, table.identifier))
            condition = _simplified(cursor, twin, found.predicate)
            cursor.execute(create_sql(connection, spec, f"{TWIN}_index", twin))
            twin_index = catalog.index(connection, table.schema, f"{TWIN}_index")
            same = twin_index is not None and (
                replace(twin_index.definition, predicate=_simplified(cursor, twin, twin_index.definition.predicate))
                == replace(found, predicate=condition)
            )
            transaction.set_rollback(True, using=connection.alias)
        return same

    return with_retries(connection, BRIEF, "ACCESS SHARE", [table], compare)


def _simplified(cursor: CursorWrapper, twin: sql.Identifier, predicate: str | None) -> str | None:
    """A condition as the planner has simplified it: what EXPLAIN shows as the filter of a scan of the empty twin."""
    if predicate is None:
        return None
    # A condition of the catalog is an expression as it stands; the twin's own index would hide it from the filter.
    cursor.execute("SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off")
    cursor.execute(sql.SQL("EXPLAIN (FORMAT JSON, COSTS OFF) SELECT FROM {} WHERE {}").format(twin, sql.SQL(predicate)))
    (plan,) = cursor.fetchone()
    shown: str | None = plan[0]["Plan"].get("Filter")
    return shown
