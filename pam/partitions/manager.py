"""The manager that settings.PSQLEXTRA_PARTITIONING_MANAGER names: `manage.py pgpartition` works through it."""

from logging import getLogger
from typing import cast

from django.db import connections
from psqlextra.backend.schema import PostgresSchemaEditor
from psqlextra.partitioning import PostgresPartitioningManager
from psqlextra.partitioning.config import PostgresPartitioningConfig
from psqlextra.partitioning.plan import PostgresModelPartitioningPlan

from pam.partitions.strategy import MonthlyStrategy
from pam.partitions.tables import MODELS, partitioned

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
    """The library's manager, which leaves alone what is not partitioned yet in this database."""

    def _plan_for_config(
        self,
        config: PostgresPartitioningConfig,
        skip_create: bool = False,
        skip_delete: bool = False,
        using: str | None = None,
    ) -> PostgresModelPartitioningPlan | None:
        if config.model not in [table.model for table in partitioned(using or "default")]:
            logger.info("%s is not partitioned here yet: python manage.py migrate", config.model._meta.db_table)
            return None
        plan = super()._plan_for_config(config, skip_create, skip_delete, using)
        return plan and MonthlyPlan(plan.config, plan.creations, plan.deletions)


manager = MonthlyManager([PostgresPartitioningConfig(model, MonthlyStrategy()) for model in MODELS])
