"""What django-postgres-extra's `pgpartition` is to make: months from midnight UTC on, named by number.

The library's own time strategy starts a month at the hour the command ran, names it by locale, writes its bound without
an offset, ends its search for old months at the first that is missing, and opens its transaction on the default
database.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.utils import timezone
from psqlextra.partitioning.partition import PostgresPartition
from psqlextra.partitioning.strategy import PostgresPartitioningStrategy

from pam.partitions import plan
from pam.partitions.plan import Rule
from pam.partitions.tables import Table
from pam.postgres import monthly, monthly_retired
from pam.postgres.errors import run_again
from pam.postgres.monthly_catalog import months_of
from pam.postgres.months import Month
from pam.postgres.run_lock import exclusive_run


@dataclass(frozen=True)
class MonthPartition(PostgresPartition):
    """One month of one table."""

    month: Month

    def name(self) -> str:
        return self.month.suffix

    def deconstruct(self) -> dict[str, Any]:
        return {
            "name": self.name(),
            "from": self.month.start.isoformat(),
            "to": self.month.end.isoformat(),
        }

    def create(self, model: Any, schema_editor: BaseDatabaseSchemaEditor, comment: str | None = None) -> None:
        """Make the month, marked as the library's; locks and errors: `pam.postgres.monthly.add_month`."""
        connection = schema_editor.connection
        with run_again(_command(connection)), exclusive_run(connection):
            monthly.add_month(connection, Table(connection, model).move, self.month)

    def delete(self, model: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
        """Retire the month: it is detached and stays. Locks, errors: `pam.postgres.monthly_retired.retire_month`."""
        connection = schema_editor.connection
        with run_again(_command(connection)), exclusive_run(connection):
            move = Table(connection, model).move
            for partition in months_of(connection, move.source):
                if partition.month == self.month:
                    monthly_retired.retire_month(connection, move, partition.relation, timezone.now())


def _command(connection: BaseDatabaseWrapper) -> str:
    return f"python manage.py pgpartition --using {connection.alias}"


@dataclass(frozen=True)
class MonthlyStrategy(PostgresPartitioningStrategy):
    """The month of now and PAM_PARTITION_PREMAKE ahead. Without a `retention` in months nothing is ever retired.

    What is to be retired depends on the months that are there, which only the manager knows.
    """

    now: Callable[[], datetime] = timezone.now
    retention: int | None = None

    @property
    def rule(self) -> Rule:
        return Rule(settings.PAM_PARTITION_PREMAKE, self.retention)

    def to_create(self) -> Generator[PostgresPartition, None, None]:
        for month in plan.wanted(self.rule, self.now()):
            yield MonthPartition(month)

    def to_delete(self) -> Generator[PostgresPartition, None, None]:
        yield from ()
