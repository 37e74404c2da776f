"""AddUniqueConstraintConcurrently: a partial unique constraint on a live table."""

from django.contrib.postgres.operations import NotInTransactionMixin
from django.db import NotSupportedError
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import AddConstraint
from django.db.migrations.operations.base import OperationCategory
from django.db.migrations.state import ProjectState
from django.db.models import UniqueConstraint

from pam.postgres.operations import online_index


class AddUniqueConstraintConcurrently(NotInTransactionMixin, AddConstraint):
    """A UniqueConstraint with a condition, which PostgreSQL holds by a unique index, built concurrently.

    Heals, waits and shows itself as `AddIndexConcurrently` does. Rows that break it are an error that names the first.
    """

    atomic = False
    category = OperationCategory.ADDITION

    def __init__(self, model_name: str, constraint: UniqueConstraint) -> None:
        if not isinstance(constraint, UniqueConstraint) or constraint.condition is None or constraint.deferrable:
            raise NotSupportedError(
                "AddUniqueConstraintConcurrently takes a UniqueConstraint with a condition, not deferrable: "
                "only that one is an index in the database."
            )
        super().__init__(model_name, constraint)

    constraint: UniqueConstraint

    def describe(self) -> str:
        return f"Concurrently create unique constraint {self.constraint.name} on model {self.model_name}"

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        online_index.build(self, app_label, schema_editor, to_state, self.constraint)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        online_index.drop(self, app_label, schema_editor, from_state, self.constraint)
