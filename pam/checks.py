"""System checks of what a database needs before its time comes: `manage.py check --database default`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.core.checks import CheckMessage, Warning  # noqa: A004 (Django's name)
from django.utils import timezone

from pam.partitions.status import months_ahead
from pam.partitions.tables import partitioned, tables
from pam.postgres import catalog
from pam.postgres.monthly_default import months_in_default
from pam.postgres.online_copy import capture

FEWEST_MONTHS = 2
AHEAD = {-1: "no month for today", 0: "no month ahead", 1: "only one month ahead"}


def check_months_ahead(
    databases: Sequence[str] | None = None, now: datetime | None = None, **_: Any
) -> list[CheckMessage]:
    """pam.W001: fewer than two months ahead. pam.W002: rows in a default partition. Reads default partitions."""
    found: list[CheckMessage] = []
    for alias in databases or ():
        for table in partitioned(alias):
            ahead = months_ahead(table, now or timezone.now())
            if ahead < FEWEST_MONTHS:
                found.append(
                    Warning(
                        f"{table.layout.table} in {alias} has {AHEAD[ahead]}.",
                        hint=f"Make more, best every day: python manage.py pgpartition --yes --using {alias}",
                        id="pam.W001",
                    )
                )
            rows = sum(months_in_default(table.connection, table.move).values())
            if rows:
                found.append(
                    Warning(
                        f"{table.layout.table} in {alias} has {rows:,} rows in its default partition.",
                        hint=f"Move them to their months: python manage.py pam_partitions drain --database {alias}",
                        id="pam.W002",
                    )
                )
    return found


def check_conversions(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """pam.W003: a conversion is prepared or was interrupted, so that each change of the table is logged for it."""
    return [
        Warning(
            f"A conversion of {table.layout.table} in {alias} has begun and not ended; each change is logged for it.",
            hint=f"See how far it is: python manage.py pam_partitions status --database {alias}. Let migrate end it, "
            f"or take it away: python manage.py pam_partitions abandon --database {alias}",
            id="pam.W003",
        )
        for alias in databases or ()
        for table in tables(alias)
        if catalog.relation(table.connection, table.layout.table) and capture.recorded(table.connection, table.move)
    ]
