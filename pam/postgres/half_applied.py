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


def take_back(connection: BaseDatabaseWrapper, migration: Migration) -> None:
    """Take back the indexes, partitions and views, if they are ours, of all unrecorded migrations after `migration`.

    Not inside a transaction. Locks and errors: `pam.postgres.online_index.remove_index`.
    """
    loader = MigrationLoader(connection)
    for key in loader.graph.backwards_plan((migration.app_label, migration.name)):
        if key not in loader.applied_migrations:
            _take_back(connection, loader, key)


def _take_back(connection: BaseDatabaseWrapper, loader: MigrationLoader, key: tuple[str, str]) -> None:
    app_label, _ = key
    after = loader.project_state(key)
    with connection.schema_editor(atomic=False) as editor:
        for operation in reversed(loader.graph.nodes[key].operations):
            if isinstance(operation, MADE_STEP_BY_STEP):
                # An index of a table or view that was never made was never made either.
                with suppress(TableMissing):
                    operation.database_backwards(app_label, editor, after, after)
