"""What the index operations share: from Django's models to the names and statements of the toolkit."""

from typing import cast

from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.ddl_references import Statement

from pam.postgres import online_index
from pam.postgres.index_spec import IndexSpec
from pam.postgres.operations import reviewed_sql


def spec_of(
    schema_editor: BaseDatabaseSchemaEditor, model: type[models.Model], index: models.Index | models.UniqueConstraint
) -> IndexSpec:
    """The IndexSpec of a Django index, or of a unique constraint that Django makes as an index, on a model's table."""
    # Only a constraint that cannot be an index has no statement, and the operations take none of these.
    statement = cast(Statement, index.create_sql(model, schema_editor))
    return IndexSpec(index.name, schema_editor.quote_name(model._meta.db_table), statement)


def build(schema_editor: BaseDatabaseSchemaEditor, spec: IndexSpec) -> None:
    """Make sure that the index is there, or print how, for `sqlmigrate`."""
    if schema_editor.collect_sql:
        name = schema_editor.quote_name(spec.name)
        reviewed_sql.show_build(schema_editor, spec.create(name, spec.table, concurrently=True), spec.table, name)
    else:
        online_index.ensure_index(schema_editor.connection, spec)


def drop(schema_editor: BaseDatabaseSchemaEditor, spec: IndexSpec) -> None:
    """Make sure that the index is gone, or print how, for `sqlmigrate`."""
    if schema_editor.collect_sql:
        reviewed_sql.show_drop(schema_editor, spec.table, schema_editor.quote_name(spec.name))
    else:
        online_index.remove_index(schema_editor.connection, spec)
