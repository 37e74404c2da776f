"""What the index operations share: from Django's models to the names and statements of the toolkit."""

from typing import Protocol, cast

from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.ddl_references import Statement
from django.db.migrations.state import ProjectState
from psqlextra.models import PostgresMaterializedViewModel

from pam.postgres import online_index
from pam.postgres.errors import TableMissing
from pam.postgres.index_spec import IndexSpec
from pam.postgres.operations import reviewed_sql

AnyIndex = models.Index | models.UniqueConstraint


class IndexOperation(Protocol):
    """What Django's concurrent index operations are to us."""

    model_name: str

    def _ensure_not_in_transaction(self, schema_editor: BaseDatabaseSchemaEditor) -> None: ...

    def allow_migrate_model(self, connection_alias: str, model: type[models.Model]) -> bool: ...


def build(
    operation: IndexOperation,
    app_label: str,
    schema_editor: BaseDatabaseSchemaEditor,
    state: ProjectState,
    index: AnyIndex,
) -> None:
    """Make sure that the operation's model has the index, or print how, for `sqlmigrate`."""
    spec = _allowed_spec(operation, app_label, schema_editor, state, index)
    if spec is None:
        return
    if schema_editor.collect_sql:
        name = schema_editor.quote_name(spec.name)
        if _is_of_view(operation, app_label, state):
            reviewed_sql.show_build_of_view(schema_editor, spec.create(name, spec.table), spec.table)
        else:
            reviewed_sql.show_build(schema_editor, spec.create(name, spec.table, concurrently=True), spec.table, name)
    else:
        online_index.ensure_index(schema_editor.connection, spec)


def drop(
    operation: IndexOperation,
    app_label: str,
    schema_editor: BaseDatabaseSchemaEditor,
    state: ProjectState,
    index: AnyIndex,
) -> None:
    """Make sure that the operation's model has the index no more, or print how, for `sqlmigrate`.

    Who dropped a view by hand, as an obstacle may ask him to, dropped its indexes with it.
    """
    spec = _allowed_spec(operation, app_label, schema_editor, state, index)
    if spec is None:
        return
    if schema_editor.collect_sql:
        reviewed_sql.show_drop(schema_editor, spec.table, schema_editor.quote_name(spec.name))
        return
    try:
        online_index.remove_index(schema_editor.connection, spec)
    except TableMissing:
        if not _is_of_view(operation, app_label, state):
            raise


def _is_of_view(operation: IndexOperation, app_label: str, state: ProjectState) -> bool:
    return issubclass(state.apps.get_model(app_label, operation.model_name), PostgresMaterializedViewModel)


def _allowed_spec(
    operation: IndexOperation,
    app_label: str,
    schema_editor: BaseDatabaseSchemaEditor,
    state: ProjectState,
    index: AnyIndex,
) -> IndexSpec | None:
    """The index as the toolkit takes it; None where a router forbids this database to the model."""
    operation._ensure_not_in_transaction(schema_editor)
    model = state.apps.get_model(app_label, operation.model_name)
    if not operation.allow_migrate_model(schema_editor.connection.alias, model):
        return None
    # Only a constraint that cannot be an index has no statement, and the operations take none of these.
    statement = cast(Statement, index.create_sql(model, schema_editor))
    return IndexSpec(index.name, schema_editor.quote_name(model._meta.db_table), statement)
