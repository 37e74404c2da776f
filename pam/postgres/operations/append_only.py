"""AppendOnly: a table whose rows are written once."""

from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation, OperationCategory
from django.db.migrations.state import ProjectState
from django.db.models import Model

from pam.postgres.operations import reviewed_sql

# Old migrations refer to this text: it is never changed, a new one gets the suffix _v2. It lives in the first schema of
# the search_path, where migrations create their tables, and looks nothing up by that path when it runs.
CREATE_FUNCTION = """\
CREATE OR REPLACE FUNCTION pam_refuse_change_v1() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = 'insufficient_privilege',
        MESSAGE = format('%I.%I is append-only: %s is refused', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP),
        HINT = 'Its history is evidence. To correct a row, insert another one that says so.';
END
$function$"""

DROP_UNUSED_FUNCTION = """\
DO $block$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgfoid = to_regprocedure('pam_refuse_change_v1()')) THEN
        DROP FUNCTION IF EXISTS pam_refuse_change_v1();
    END IF;
END
$block$"""

REFUSE_CHANGE = """\
CREATE OR REPLACE TRIGGER pam_refuse_change BEFORE UPDATE OR DELETE ON {table}
FOR EACH ROW EXECUTE FUNCTION pam_refuse_change_v1()"""

REFUSE_TRUNCATE = """\
CREATE OR REPLACE TRIGGER pam_refuse_truncate BEFORE TRUNCATE ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION pam_refuse_change_v1()"""

# Without ALWAYS, whoever may set session_replication_role = replica would get past the triggers.
ENABLE_ALWAYS = "ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}"
DROP_TRIGGER = "DROP TRIGGER IF EXISTS {trigger} ON {table}"

NO_LOCK = "Lock: none on any table."
BLOCKS_WRITERS = "Lock: SHARE ROW EXCLUSIVE on {table}, which writers wait for; does not grow with rows."
BLOCKS_ALL = "Lock: ACCESS EXCLUSIVE on {table}, which readers and writers wait for; does not grow with rows."


class AppendOnly(Operation):
    """From here on the database refuses UPDATE, DELETE and TRUNCATE of the model's table, whoever asks.

    Superusers and replication are refused too. DDL is not: the table's owner can alter, partition and drop it, and
    take the guard off by migrating back. Locks: SHARE ROW EXCLUSIVE forwards, ACCESS EXCLUSIVE backwards, both short.
    It may be run again at any time, and ends in the same state.
    """

    category = OperationCategory.ADDITION

    def __init__(self, model_name: str) -> None:
        self.model_name = model_name

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return self.__class__.__qualname__, [], {"model_name": self.model_name}

    def describe(self) -> str:
        return f"Refuse UPDATE, DELETE and TRUNCATE of model {self.model_name}"

    @property
    def migration_name_fragment(self) -> str:
        return f"{self.model_name.lower()}_append_only"

    def references_model(self, name: str, app_label: str) -> bool:
        """The optimizer must not move this past a change of its model."""
        return name.lower() == self.model_name.lower()

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """The guard is the database's own; the model does not know it."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        _execute(schema_editor, CREATE_FUNCTION, NO_LOCK)
        _on_table(schema_editor, model, REFUSE_CHANGE, BLOCKS_WRITERS)
        _on_table(schema_editor, model, ENABLE_ALWAYS, BLOCKS_WRITERS, trigger="pam_refuse_change")
        _on_table(schema_editor, model, REFUSE_TRUNCATE, BLOCKS_WRITERS)
        _on_table(schema_editor, model, ENABLE_ALWAYS, BLOCKS_WRITERS, trigger="pam_refuse_truncate")

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        model = from_state.apps.get_model(app_label, self.model_name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        _on_table(schema_editor, model, DROP_TRIGGER, BLOCKS_ALL, trigger="pam_refuse_truncate")
        _on_table(schema_editor, model, DROP_TRIGGER, BLOCKS_ALL, trigger="pam_refuse_change")
        _execute(schema_editor, DROP_UNUSED_FUNCTION, f"{NO_LOCK} Other append-only tables may still use the function.")


def _on_table(
    schema_editor: BaseDatabaseSchemaEditor, model: type[Model], statement: str, lock: str, **names: str
) -> None:
    table = schema_editor.quote_name(model._meta.db_table)
    _execute(schema_editor, statement.format(table=table, **names), lock.format(table=table))


def _execute(schema_editor: BaseDatabaseSchemaEditor, statement: str, comment: str) -> None:
    """Run a statement, or show it under its comment to whoever reviews the migration."""
    if schema_editor.collect_sql:
        reviewed_sql.show(schema_editor, statement, comment)
    else:
        schema_editor.execute(statement, params=None)
