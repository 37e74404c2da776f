"""CreateMaterializedView: a report that is computed once and read often, beside a live database."""

from collections.abc import Sequence
from typing import Any

from django.contrib.postgres.operations import NotInTransactionMixin
from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from psqlextra.backend.migrations.operations import PostgresCreateMaterializedViewModel
from psqlextra.models import PostgresMaterializedViewModel
from psycopg2 import sql

from pam.postgres import catalog, materialized_view
from pam.postgres.index_spec import IndexSpec
from pam.postgres.locks import BRIEF, CALM
from pam.postgres.materialized_view import MaterializedView
from pam.postgres.operations import reviewed_sql

AS_A_READER = (
    "Lock: ACCESS SHARE on {tables},",
    "as any reader takes it, while they are read: nobody waits for it. The time grows with the rows that are read.",
)
UNSEEN = "Lock: none on a table that anybody uses; until the commit nobody else sees the view."
BRIEFLY = (
    f"Lock: ACCESS EXCLUSIVE on the view alone, for a moment. What runs asks for it for {BRIEF.lock_timeout_ms} ms,",
    "tries again after a pause outside the queue, and gives up in the end.",
)


class CreateMaterializedView(NotInTransactionMixin, PostgresCreateMaterializedViewModel):
    """The library's operation for a view of a live database: with its indexes, under bounded locks, run again at will.

    `query` is the SQL as it stands, frozen; `reads` names the models whose tables it reads. The view lies beside the
    first of them and belongs to its owner. The library's own makes no index (without one nothing can be refreshed
    CONCURRENTLY), and fails on what an interrupted run has left or taken away. Locks and errors:
    `pam.postgres.materialized_view.ensure` and `remove`.
    """

    atomic = False
    serialization_expand_args = ["fields", "options", "reads"]

    def __init__(
        self,
        name: str,
        fields: Sequence[tuple[str, "models.Field[Any, Any]"]],
        options: dict[str, Any],
        query: str,
        reads: Sequence[str],
    ) -> None:
        bases = (PostgresMaterializedViewModel,)
        super().__init__(name, list(fields), options, {"query": (query, ())}, bases)
        self.query = query
        self.reads = list(reads)

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return (
            self.__class__.__qualname__,
            [],
            {
                "name": self.name,
                "fields": self.fields,
                "options": self.options,
                "query": self.query,
                "reads": self.reads,
            },
        )

    def describe(self) -> str:
        return f"Create materialized view model {self.name}, filled"

    def references_model(self, name: str, app_label: str) -> bool:
        return name.lower() in {model.lower() for model in (self.name, *self.reads)}

    def reduce(self, operation: Operation, app_label: str) -> Any:
        """As an operation that is nothing special: CreateModel's own way would make of it a table."""
        return Operation.reduce(self, operation, app_label)

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        wanted = self._wanted(app_label, schema_editor, to_state)
        if wanted is None:
            return
        if not schema_editor.collect_sql:
            materialized_view.ensure(schema_editor.connection, wanted)
            return
        connection = schema_editor.connection
        place, table = wanted.place(connection), catalog.relation_or_new(connection, wanted.reads[0])
        owner = catalog.other_owner(connection, table)
        reviewed_sql.show_session_timeouts(schema_editor, CALM.lock_timeout_ms)
        reviewed_sql.show(schema_editor, "BEGIN", "Lock: none. What follows is there whole, or not at all.")
        reader = [line.format(tables=", ".join(wanted.reads)) for line in AS_A_READER]
        reviewed_sql.show(schema_editor, self._text(schema_editor, wanted.create(place)), *reader)
        for statement in wanted.finish(connection, place, owner):
            reviewed_sql.show(schema_editor, self._text(schema_editor, statement), UNSEEN)
        reviewed_sql.show(schema_editor, "COMMIT", "Lock: none.")
        reviewed_sql.show_session_reset(schema_editor)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        wanted = self._wanted(app_label, schema_editor, from_state)
        if wanted is None:
            return
        if not schema_editor.collect_sql:
            materialized_view.remove(schema_editor.connection, wanted)
            return
        place = wanted.place(schema_editor.connection)
        reviewed_sql.show_session_timeouts(schema_editor, BRIEF.lock_timeout_ms)
        reviewed_sql.show(schema_editor, self._text(schema_editor, materialized_view.drop(place)), *BRIEFLY)
        reviewed_sql.show_session_reset(schema_editor)

    def _wanted(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, state: ProjectState
    ) -> MaterializedView | None:
        """The view as the toolkit takes it; None where a router forbids this database to the model."""
        self._ensure_not_in_transaction(schema_editor)
        model = state.apps.get_model(app_label, self.name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return None
        view = schema_editor.quote_name(model._meta.db_table)
        indexes = tuple(
            IndexSpec(index.name, view, index.create_sql(model, schema_editor)) for index in model._meta.indexes
        )
        reads = tuple(
            schema_editor.quote_name(state.apps.get_model(app_label, name)._meta.db_table) for name in self.reads
        )
        return MaterializedView(model._meta.db_table, self.query, indexes, reads)

    @staticmethod
    def _text(schema_editor: BaseDatabaseSchemaEditor, statement: sql.Composable) -> str:
        schema_editor.connection.ensure_connection()
        return statement.as_string(schema_editor.connection.connection)
