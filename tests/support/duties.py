"""Who does a duty in a test, and what was written down of it."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import models

from pam.duties.work import Mandate
from pam.models import AuditLog
from pam.trail import Origin
from tests.support.rows import CLOCK

NOW = CLOCK + timedelta(days=3, hours=2)
ORIGIN = Origin("olga@contoso.example", "Olga", source_ip="192.0.2.9", request_id="r7", http_method="POST")


def mandate(using: str = "default") -> Mandate:
    """Olga, three days after all rows were made."""
    return Mandate(ORIGIN, "Ticket 4711: left the company", NOW, using)


def seen(*rows: Any) -> dict[UUID, int]:
    """These rows, as they are in memory."""
    return {row.pk: row.version for row in rows}


def stored(row: models.Model, using: str = "default") -> dict[str, Any]:
    """The row in the database, deleted or not."""
    values: dict[str, Any] = type(row)._base_manager.using(using).filter(pk=row.pk).values().get()
    return values


def events(using: str = "default") -> list[AuditLog]:
    """What the duties wrote down, by target."""
    return list(AuditLog.objects.using(using).order_by("target_resource_id"))
