"""AddIndexConcurrently: an index on a live table."""

from django.contrib.postgres import operations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import ProjectState

from pam.postgres.operations import online_index


class AddIndexConcurrently(operations.AddIndexConcurrently):
    """Django's operation of this name, which also heals, is polite, shows progress and knows partitioned tables.

    Interrupted in any way, it can be run again: an INVALID index is dropped and built again, a valid one of the same
    definition is accepted, another one under the name is an error. Locks and errors: `pam.postgres.online_index`.
    """

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """As Django's, which also makes the model anew, and all that are related to it: half the time of a migration
        that builds many small indexes. No operation asks a model for its indexes; the state knows them."""
        options = state.models[app_label, self.model_name_lower].options
        options["indexes"] = [*options["indexes"], self.index]

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        online_index.build(self, app_label, schema_editor, to_state, self.index)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        online_index.drop(self, app_label, schema_editor, from_state, self.index)
