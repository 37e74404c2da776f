"""The monthly tables, as the toolkit takes them."""

from dataclasses import dataclass

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from pam.models import AuditLog, Session
from pam.postgres import catalog
from pam.postgres.errors import TableMissing
from pam.postgres.monthly_model import MonthlyModel
from pam.postgres.monthly_retired import NotOurs, is_detached
from pam.postgres.online_copy.move import Layout, Move, layout_of

MODELS: tuple[type[MonthlyModel], ...] = (AuditLog, Session)


@dataclass(frozen=True)
class Table:
    """A monthly model's table in one database."""

    connection: BaseDatabaseWrapper
    model: type[MonthlyModel]

    @property
    def layout(self) -> Layout:
        (time,) = self.model._partitioning_meta.key
        return layout_of(self.model, time, self.connection.ops.quote_name)

    @property
    def move(self) -> Move:
        """The table as it is now; raises TableMissing."""
        source = catalog.relation(self.connection, self.layout.table)
        if source is None:
            raise TableMissing(self.layout.table)
        return Move(source, self.layout, to_months=True)


def tables(alias: str) -> list[Table]:
    """All monthly tables of the database behind an alias."""
    return [Table(connections[alias], model) for model in MODELS]


def partitioned(alias: str) -> list[Table]:
    """Those that are partitioned there already."""
    return [
        table
        for table in tables(alias)
        if (found := catalog.relation(table.connection, table.layout.table)) and found.is_partitioned
    ]


def owner_of(alias: str, name: str) -> Table:
    """The monthly table that a month of this name was detached from, by its comment; raises NotOurs."""
    for table in tables(alias):
        if is_detached(table.connection, table.move.source, name):
            return table
    raise NotOurs(
        f"{name} is no month that menshun detached, so it is not dropped. See what is there: "
        "python manage.py pam_partitions status"
    )
