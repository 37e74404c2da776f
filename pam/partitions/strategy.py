"""What django-postgres-extra's `pgpartition` is to make: months from midnight UTC on, named by number.

The library's own time strategy starts a month at the hour the command ran, names it by locale, writes its bound without
an offset and opens its transaction on the default database.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.utils import timezone
from psqlextra.partitioning.partition import PostgresPartition
from psqlextra.partitioning.strategy import PostgresPartitioningStrategy

from pam.partitions.tables import Table
from pam.postgres import catalog, monthly
from pam.postgres.locks import exclusive_run
from pam.postgres.months import Month, months


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
        with exclusive_run(schema_editor.connection):
            monthly.add_month(schema_editor.connection, Table(schema_editor.connection, model).move, self.month)

    def delete(self, model: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
        """Retire the month: it is detached and stays. Locks and errors: `pam.postgres.monthly.retire_month`."""
        connection = schema_editor.connection
        move = Table(connection, model).move
        name = move.named(self.month.suffix)
        with exclusive_run(connection):
            found = catalog.relation(connection, name.as_string(connection.connection))
            if found:
                monthly.retire_month(connection, move, found, timezone.now())


@dataclass(frozen=True)
class MonthlyStrategy(PostgresPartitioningStrategy):
    """The month of now and PAM_PARTITION_PREMAKE ahead. Nothing is retired: history is evidence."""

    now: Callable[[], datetime] = timezone.now

    def to_create(self) -> Generator[PostgresPartition, None, None]:
        first = Month.of(self.now())
        for month in months(first, first.plus(settings.PAM_PARTITION_PREMAKE)):
            yield MonthPartition(month)

    def to_delete(self) -> Generator[PostgresPartition, None, None]:
        yield from ()
