"""What is asked of credentials."""

from datetime import datetime, timedelta
from typing import Self

from django.utils import timezone

from pam.querysets.base import Row, SoftDeleteQuerySet
from pam.querysets.search import words_in


class CredentialQuerySet(SoftDeleteQuerySet[Row]):
    """Credentials by what people ask about them."""

    def active(self) -> Self:
        """The operator who lists, by name, which secrets open something today."""
        return self.alive().filter(status="active")

    def expiring_within(self, delta: timedelta, now: datetime | None = None) -> Self:
        """The daily notice to emergency contacts: what ends in [now, now + delta)."""
        now = now or timezone.now()
        return self.active().filter(expires_at__gte=now, expires_at__lt=now + delta)

    def expired(self, now: datetime | None = None) -> Self:
        """The clean-up: what should have ended before now and is still called active."""
        return self.active().filter(expires_at__lt=now or timezone.now())

    def due_for_rotation(self, now: datetime | None = None) -> Self:
        """The rotation worker: which active secrets it must renew by itself by now."""
        return self.active().filter(auto_rotation_enabled=True, next_rotation_date__lte=now or timezone.now())

    def search(self, text: str) -> Self:
        """The operator who knows a part of the name, or what the secret is for."""
        return self.filter(words_in(text, "name", "description"))
