"""What is asked of credential rotations."""

from datetime import datetime
from typing import Self

from django.db.models import F
from django.utils import timezone

from pam.querysets.base import Row, SoftDeleteQuerySet


class CredentialRotationQuerySet(SoftDeleteQuerySet[Row]):
    """Credential rotations by what people ask about them."""

    def open(self) -> Self:
        """The scheduler: a credential with an open rotation gets no second one."""
        return self.alive().filter(status__in=["scheduled", "in_progress"])

    def failed(self) -> Self:
        """The operator in the morning: which rotations did not work."""
        return self.alive().filter(status="failed")

    def due_for_retry(self, now: datetime | None = None) -> Self:
        """The rotation worker: which failed rotations to try again by now, as long as a retry is left."""
        return self.failed().filter(next_retry_at__lte=now or timezone.now(), retry_count__lt=F("max_retries"))
