"""What is asked of role assignments."""

from datetime import datetime, timedelta
from typing import Self

from django.utils import timezone

from pam.querysets.base import Row, SoftDeleteQuerySet


class RoleAssignmentQuerySet(SoftDeleteQuerySet[Row]):
    """Role assignments by what people ask about them."""

    def active(self) -> Self:
        """The access check, and everybody who lists who holds which role."""
        return self.alive().filter(is_active=True)

    def expiring_within(self, delta: timedelta, now: datetime | None = None) -> Self:
        """The daily notice to the holders: what ends in [now, now + delta)."""
        now = now or timezone.now()
        return self.active().filter(expires_at__gte=now, expires_at__lt=now + delta)

    def expired(self, now: datetime | None = None) -> Self:
        """The worker that takes roles back: what should have ended before now and is still active."""
        return self.active().filter(expires_at__lt=now or timezone.now())

    def due_for_certification(self, now: datetime | None = None) -> Self:
        """The auditor: which assignments must be certified again by now."""
        return self.active().filter(requires_certification=True, next_certification_date__lte=now or timezone.now())

    def emergency(self) -> Self:
        """The auditor: every time somebody broke the glass, ended or not."""
        return self.filter(is_emergency=True)
