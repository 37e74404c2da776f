"""PartitionByMonth: a live table becomes one of monthly partitions, and a plain one again."""

from typing import Any

from django.contrib.postgres.operations import NotInTransactionMixin
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation, OperationCategory
from django.db.migrations.state import ModelState, ProjectState
from django.utils import timezone

from pam.postgres.monthly_model import MonthlyModel, MonthlyModelState
from pam.postgres.online_copy import engine, script
from pam.postgres.online_copy.move import Layout, layout_of
from pam.postgres.operations import reviewed_sql
from pam.postgres.operations.empty_tables import made_for_a_moment, nothing_there


class PartitionByMonth(NotInTransactionMixin, Operation):
    """The model's table is partitioned by the month (UTC) of one of its times, while it is read and written.

    Both ways are online, may be killed at any moment and run again, and go on where they were. The model becomes a
    MonthlyModel. Locks and errors: `pam.postgres.online_copy.engine.convert`.
    """

    atomic = False
    category = OperationCategory.ALTERATION

    def __init__(self, model_name: str, time: str) -> None:
        self.model_name = model_name
        self.time = time

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return self.__class__.__qualname__, [], {"model_name": self.model_name, "time": self.time}

    def describe(self) -> str:
        return f"Partition model {self.model_name} by the month of {self.time}, online"

    @property
    def migration_name_fragment(self) -> str:
        return f"{self.model_name.lower()}_by_month"

    def references_model(self, name: str, app_label: str) -> bool:
        return name.lower() == self.model_name.lower()

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """The model stays as it is, on another base."""
        before: ModelState = state.models[app_label, self.model_name.lower()]
        state.remove_model(app_label, self.model_name.lower())
        state.add_model(
            MonthlyModelState(
                app_label,
                before.name,
                list(before.fields.items()),
                options=before.options,
                bases=(MonthlyModel,),
                managers=before.managers,
                partitioning_options={"method": "range", "key": [self.time]},
            )
        )

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        self._ensure_not_in_transaction(schema_editor)
        if schema_editor.collect_sql and nothing_there(schema_editor.connection, app_label, from_state):
            with made_for_a_moment(schema_editor.connection, app_label, from_state):
                self._convert(app_label, schema_editor, to_state, to_months=True)
            return
        self._convert(app_label, schema_editor, to_state, to_months=True)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        self._ensure_not_in_transaction(schema_editor)
        self._convert(app_label, schema_editor, to_state, to_months=False)

    def layout(self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, state: ProjectState) -> Layout | None:
        """The table as the engine takes it; None where a router forbids this database to the model."""
        model = state.apps.get_model(app_label, self.model_name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return None
        return layout_of(model, self.time, schema_editor.quote_name)

    def _convert(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, state: ProjectState, *, to_months: bool
    ) -> None:
        layout = self.layout(app_label, schema_editor, state)
        if layout is None:
            return
        now = timezone.now()
        if schema_editor.collect_sql:
            for statement, comments in script.statements(schema_editor.connection, layout, to_months, now):
                reviewed_sql.show(schema_editor, statement, *comments)
        else:
            engine.convert(schema_editor.connection, layout, to_months=to_months, now=now)
