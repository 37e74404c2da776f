"""RemoveIndexConcurrently: an index goes from a live table."""

from django.contrib.postgres import operations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import ProjectState
from django.db.models import Index

from pam.postgres.operations import online_index


class RemoveIndexConcurrently(operations.RemoveIndexConcurrently):
    """The opposite of `AddIndexConcurrently`, with the same manners.

    An index of another definition under the name is not the one to remove: an error, nothing changed.
    """

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        online_index.drop(self, app_label, schema_editor, from_state, self._index(app_label, from_state))

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        online_index.build(self, app_label, schema_editor, to_state, self._index(app_label, to_state))

    def _index(self, app_label: str, state: ProjectState) -> Index:
        index: Index = state.models[app_label, self.model_name_lower].get_index_by_name(self.name)
        return index
