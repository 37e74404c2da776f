"""The manager that settings.PSQLEXTRA_PARTITIONING_MANAGER names: `manage.py pgpartition` works through it."""

from logging import getLogger
from typing import cast

from django.db import connections
from psqlextra.backend.schema import PostgresSchemaEditor
from psqlextra.partitioning import PostgresPartitioningManager
from psqlextra.partitioning.config import PostgresPartitioningConfig
from psqlextra.partitioning.plan import PostgresModelPartitioningPlan

from pam.partitions.plan import change
from pam.partitions.strategy import MonthlyStrategy, MonthPartition
from pam.partitions.tables import MODELS, partitioned
from pam.postgres.monthly_catalog import months_of

logger = getLogger("pam.partitions")


class MonthlyPlan(PostgresModelPartitioningPlan):
    """Applies month by month, each in a short transaction of its own on the database that was asked for.

    The library would hold the locks of all of them until the last one is made.
    """

    def apply(self, using: str | None) -> None:
        with connections[using or "default"].schema_editor(atomic=False) as opened:
            editor = cast(PostgresSchemaEditor, opened)
            for partition in self.creations:
                partition.create(self.config.model, editor)
            for partition in self.deletions:
                partition.delete(self.config.model, editor)


class MonthlyManager(PostgresPartitioningManager):
    """The library's manager, which leaves alone what is not partitioned yet in this database.

    Months are told by their bounds. The library looks for names, in whichever schema has a table of that name.
    """

    def _plan_for_config(
        self,
        config: PostgresPartitioningConfig,
        skip_create: bool = False,
        skip_delete: bool = False,
        using: str | None = None,
    ) -> PostgresModelPartitioningPlan | None:
        table = next((one for one in partitioned(using or "default") if one.model is config.model), None)
        if table is None:
            logger.info("%s is not partitioned here yet: python manage.py migrate", config.model._meta.db_table)
            return None
        strategy = cast(MonthlyStrategy, config.strategy)
        there = months_of(table.connection, table.move.source)
        wanted = change(strategy.rule, {one.month for one in there if one.month}, strategy.now())
        # What is not ours is never retired; a detachment that was begun is ended, whatever the rule says now.
        ours = {one.month for one in there if one.is_ours}
        begun = {one.month for one in there if one.is_pending and one.month}
        retire = sorted({month for month in wanted.retire if month in ours} | begun)
        plan = MonthlyPlan(
            config,
            [] if skip_create else [MonthPartition(month) for month in wanted.create],
            [] if skip_delete else [MonthPartition(month) for month in retire],
        )
        return plan if plan.creations or plan.deletions else None


manager = MonthlyManager([PostgresPartitioningConfig(model, MonthlyStrategy()) for model in MODELS])
