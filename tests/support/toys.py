"""A throw-away table, plain or partitioned, with its model's state: what the operations are tried on."""

from datetime import UTC, datetime

from django.db import connections, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ModelState, ProjectState
from psycopg2 import sql

from pam.postgres.indexes import Index
from pam.postgres.operations import AddIndexConcurrently

APP = "pam"
INDEX = Index(fields=["name"], name="ix_toys_name_partial", condition=models.Q(is_active=True))
MONTHS = ("2026_01", "2026_02", "2026_03")

# All the indexes, valid, that a partitioned table has when INDEX is built.
PARENT_AND_MONTHS = {INDEX.name: True} | {f"{INDEX.name}_{month}": True for month in MONTHS}


def add_index(index: models.Index = INDEX) -> AddIndexConcurrently:
    return AddIndexConcurrently("Toy", index)


def state(table: str = "toys", indexes: tuple[models.Index, ...] = ()) -> ProjectState:
    """A project of one model, `Toy`."""
    project = ProjectState()
    project.add_model(
        ModelState(
            APP,
            "Toy",
            [
                ("id", models.BigIntegerField(primary_key=True)),
                ("name", models.TextField()),
                ("is_active", models.BooleanField(default=True)),
                ("made_at", models.DateTimeField()),
            ],
            {"db_table": table, "indexes": list(indexes)},
        )
    )
    return project


def make_table(
    alias: str, table: str = "toys", *, partitioned: bool = False, rows: int = 1000, schema: str = "public"
) -> None:
    """Make the table of `Toy`, in months when `partitioned`, with rows spread over the first quarter of 2026."""
    name = sql.Identifier(schema, table)
    with connections[alias].cursor() as cursor:
        cursor.execute(
            sql.SQL(
                "CREATE TABLE {} (id bigint, name text NOT NULL, is_active bool NOT NULL, made_at timestamptz NOT NULL)"
            ).format(name)
            + sql.SQL(" PARTITION BY RANGE (made_at)" if partitioned else "")
        )
        for number, month in enumerate(MONTHS if partitioned else (), start=1):
            cursor.execute(
                sql.SQL("CREATE TABLE {} PARTITION OF {} FOR VALUES FROM (%s) TO (%s)").format(
                    sql.Identifier(schema, f"{table}_{month}"), name
                ),
                [datetime(2026, number, 1, tzinfo=UTC), datetime(2026, number + 1, 1, tzinfo=UTC)],
            )
        cursor.execute(
            sql.SQL(
                "INSERT INTO {} SELECT n, 'toy ' || n, n %% 3 > 0,"
                " timestamptz '2026-01-01 00:00+00' + n * interval '89 days' / %s FROM generate_series(1, %s) n"
            ).format(name),
            [rows + 1, rows],
        )


def forwards(alias: str, operation: Operation, before: ProjectState) -> ProjectState:
    """Run an operation forwards as a non-atomic migration does, and return the state after it."""
    after = before.clone()
    operation.state_forwards(APP, after)
    with connections[alias].schema_editor(atomic=False) as editor:
        operation.database_forwards(APP, editor, before, after)
    return after


def backwards(alias: str, operation: Operation, before: ProjectState) -> None:
    """Run an operation backwards; `before` is the state that the operation was applied to."""
    after = before.clone()
    operation.state_forwards(APP, after)
    with connections[alias].schema_editor(atomic=False) as editor:
        operation.database_backwards(APP, editor, after, before)


def collected(alias: str, operation: Operation, before: ProjectState, *, back: bool = False) -> list[str]:
    """What `sqlmigrate` prints for an operation."""
    after = before.clone()
    operation.state_forwards(APP, after)
    editor: BaseDatabaseSchemaEditor
    with connections[alias].schema_editor(collect_sql=True, atomic=False) as editor:
        if back:
            operation.database_backwards(APP, editor, after, before)
        else:
            operation.database_forwards(APP, editor, before, after)
    return list(editor.collected_sql)
