"""LockBeforeDrop: the way back of a migration that made tables does not stop those who use them."""

from collections.abc import Sequence
from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation, OperationCategory
from django.db.migrations.state import ProjectState

from pam.postgres import catalog
from pam.postgres.locks import with_table_locks
from pam.postgres.operations import reviewed_sql


class LockBeforeDrop(Operation):
    """The last operation of a migration that makes tables; forwards it does nothing.

    Backwards it runs first: it takes ACCESS EXCLUSIVE on all the tables, asked for briefly and with retries, so that
    no DROP TABLE after it waits in a queue with every reader behind it. Raises LockUnavailable, nothing changed.
    """

    category = OperationCategory.SQL

    def __init__(self, model_names: Sequence[str]) -> None:
        self.model_names = list(model_names)

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return self.__class__.__qualname__, [], {"model_names": self.model_names}

    def describe(self) -> str:
        return f"On the way back, lock {len(self.model_names)} tables before they are dropped"

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Models do not know of locks."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Nobody uses the new tables yet."""

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        models = [from_state.apps.get_model(app_label, name) for name in self.model_names]
        alias = schema_editor.connection.alias
        names = [
            schema_editor.quote_name(model._meta.db_table) for model in models if self.allow_migrate_model(alias, model)
        ]
        if not names:
            return
        if schema_editor.collect_sql:
            reviewed_sql.show(
                schema_editor,
                f"LOCK TABLE {', '.join(names)} IN ACCESS EXCLUSIVE MODE",
                "Lock: ACCESS EXCLUSIVE on each, until the end. What runs asks for each for 50 ms, tries again after",
                "a pause outside the queue, and gives up in the end; by hand, set a short lock_timeout first.",
            )
        else:
            _lock(schema_editor, names)


def _lock(schema_editor: BaseDatabaseSchemaEditor, names: list[str]) -> None:
    """A table that somebody dropped by hand already is left out."""
    found = [catalog.relation(schema_editor.connection, name) for name in names]
    tables = [table for table in found if table is not None]
    if tables:
        with_table_locks(schema_editor.connection, tables, "ACCESS EXCLUSIVE", lambda: None)
