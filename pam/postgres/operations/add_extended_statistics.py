"""AddExtendedStatistics: the planner learns of columns that go together, on a live table."""

from collections.abc import Sequence
from typing import Any

from django.contrib.postgres.operations import NotInTransactionMixin
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation, OperationCategory
from django.db.migrations.state import ProjectState
from psycopg2 import sql

from pam.postgres import catalog, extended_statistics
from pam.postgres.extended_statistics import ExtendedStatistics
from pam.postgres.locks import BRIEF, CALM
from pam.postgres.operations import reviewed_sql

BRIEFLY = "Lock: SHARE UPDATE EXCLUSIVE on {table}, for a moment: no reader or writer waits, other DDL and VACUUM do."
ALONE = (
    "Lock: ACCESS EXCLUSIVE on {table}, for a moment. "
    f"What runs asks for it for {BRIEF.lock_timeout_ms} ms, tries again after a pause."
)
SAMPLED = "Lock: SHARE UPDATE EXCLUSIVE on {table}, then on each partition, while it is sampled, whatever the rows."


class AddExtendedStatistics(NotInTransactionMixin, Operation):
    """CREATE STATISTICS on columns of the model's table, and on each of its partitions; then they are gathered.

    Interrupted in any way, it can be run again. Months that come later get them too. Locks and errors:
    `pam.postgres.extended_statistics.ensure`, and on the way back `remove`.
    """

    atomic = False
    category = OperationCategory.ADDITION

    def __init__(self, model_name: str, name: str, fields: Sequence[str], kinds: Sequence[str]) -> None:
        self.model_name = model_name
        self.name = name
        self.fields = list(fields)
        self.kinds = list(kinds)

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return (
            self.__class__.__qualname__,
            [],
            {"model_name": self.model_name, "name": self.name, "fields": self.fields, "kinds": self.kinds},
        )

    def describe(self) -> str:
        return f"Gather extended statistics {self.name} on {', '.join(self.fields)} of model {self.model_name}"

    @property
    def migration_name_fragment(self) -> str:
        return self.name.lower()

    def references_model(self, name: str, app_label: str) -> bool:
        return name.lower() == self.model_name.lower()

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Statistics are the database's own; the model does not know them."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        found = self._wanted(app_label, schema_editor, to_state)
        if found is None:
            return
        table, wanted = found
        if not schema_editor.collect_sql:
            extended_statistics.ensure(schema_editor.connection, table, wanted)
            return
        parent = catalog.relation_or_new(schema_editor.connection, table)
        owner = catalog.other_owner(schema_editor.connection, parent)
        reviewed_sql.show_session_timeouts(schema_editor, CALM.lock_timeout_ms)
        for relation, statistics in extended_statistics.each(schema_editor.connection, parent, wanted):
            for statement in statistics.make(relation, owner):
                _show(schema_editor, statement, BRIEFLY.format(table=relation))
        _show(schema_editor, wanted.gather(parent), SAMPLED.format(table=parent))
        reviewed_sql.show_session_reset(schema_editor)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        found = self._wanted(app_label, schema_editor, from_state)
        if found is None:
            return
        table, wanted = found
        if not schema_editor.collect_sql:
            extended_statistics.remove(schema_editor.connection, table, wanted)
            return
        parent = catalog.relation_or_new(schema_editor.connection, table)
        for relation, statistics in extended_statistics.each(schema_editor.connection, parent, wanted):
            for statement in extended_statistics.drop_script(relation, statistics):
                _show(schema_editor, statement, ALONE.format(table=relation))

    def _wanted(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, state: ProjectState
    ) -> tuple[str, ExtendedStatistics] | None:
        """The quoted table and what it is to have; None where a router forbids this database to the model."""
        self._ensure_not_in_transaction(schema_editor)
        model = state.apps.get_model(app_label, self.model_name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return None
        columns = tuple(str(model._meta.get_field(name).column) for name in self.fields)
        return schema_editor.quote_name(model._meta.db_table), ExtendedStatistics(self.name, columns, tuple(self.kinds))


def _show(schema_editor: BaseDatabaseSchemaEditor, statement: sql.Composable, comment: str) -> None:
    reviewed_sql.show(schema_editor, statement.as_string(schema_editor.connection.connection), comment)
