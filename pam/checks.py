"""What `pam_status` finds, as system checks: `manage.py check --database default`, and before each `migrate`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.core.checks import CheckMessage, Warning  # noqa: A004 (Django's name)
from django.db import OperationalError, connections
from django.utils import timezone

from pam.monitoring.examine import examine
from pam.postgres.errors import QUERY_CANCELED, sqlstate

# What the next migrate cures by itself is no news just before it.
CURED_BY_MIGRATE = ("not-migrated", "phase-half-applied", "phase-unfinished", "migration-half-applied")


def check_health(databases: Sequence[str] | None = None, now: datetime | None = None, **_: Any) -> list[CheckMessage]:
    """Each finding of an examination as a warning `pam.<id>`; an error would keep the migrate that may cure it from
    running. Locks: see `pam.monitoring.examine`."""
    found: list[CheckMessage] = []
    for alias in databases or ():
        try:
            findings = examine(connections[alias], now or timezone.now()).findings
        except OperationalError as error:
            if sqlstate(error) != QUERY_CANCELED:
                raise
            found.append(
                Warning(
                    f"{alias} was not examined: somebody holds a lock on a table, and readers wait for it.",
                    hint=f"See who: python manage.py pam_plan --database {alias}",
                    id="pam.not-examined",
                )
            )
            continue
        found += [
            Warning(f"{one.subject} in {alias}: {one.evidence}.", hint=one.cure, id=f"pam.{one.id}")
            for one in findings
            if one.id not in CURED_BY_MIGRATE
        ]
    return found
