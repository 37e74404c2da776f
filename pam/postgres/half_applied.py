"""What an interrupted run left of migrations that were never recorded as applied.

Django takes back what it has recorded. A migration that builds indexes one by one outside a transaction may have built
sixteen of seventeen when it is killed, and is not recorded: going back past it would leave the sixteen.
"""

from contextlib import suppress

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader

from pam.postgres.errors import TableMissing
from pam.postgres.operations import (
    AddIndexConcurrently,
    AddUniqueConstraintConcurrently,
    CreateMaterializedView,
    PartitionByMonth,
)

MADE_STEP_BY_STEP = (
    AddIndexConcurrently,
    AddUniqueConstraintConcurrently,
    CreateMaterializedView,
    PartitionByMonth,
)


class HalfApplied:
    """The migrations that are not recorded when this is made, before the run that asks for it goes back.

    What that run itself takes back leaves nothing, so each of these is looked at once, however long the way back is.
    """

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection
        self._loader = MigrationLoader(connection)
        self._unrecorded = self._loader.graph.nodes.keys() - self._loader.applied_migrations.keys()

    def take_back(self, migration: Migration) -> None:
        """Take back the indexes, partitions and views, if they are ours, of all of them that come after `migration`.

        Not inside a transaction. Locks and errors: `pam.postgres.online_index.remove_index`.
        """
        for key in self._loader.graph.backwards_plan((migration.app_label, migration.name)):
            if key in self._unrecorded:
                self._take_back(key)
                self._unrecorded.remove(key)

    def _take_back(self, key: tuple[str, str]) -> None:
        app_label, _ = key
        after = self._loader.project_state(key)
        with self._connection.schema_editor(atomic=False) as editor:
            for operation in reversed(self._loader.graph.nodes[key].operations):
                if isinstance(operation, MADE_STEP_BY_STEP):
                    # An index of a table or view that was never made was never made either.
                    with suppress(TableMissing):
                        operation.database_backwards(app_label, editor, after, after)
