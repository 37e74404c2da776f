"""What is asked of sessions."""

from datetime import datetime, timedelta
from typing import Self

from django.utils import timezone

from pam.querysets.base import Row, SoftDeleteQuerySet


class SessionQuerySet(SoftDeleteQuerySet[Row]):
    """Sessions by what people ask about them."""

    def active(self) -> Self:
        """The operator: who is signed in now."""
        return self.alive().filter(is_active=True)

    def stale(self, older_than: timedelta, now: datetime | None = None) -> Self:
        """The clean-up: active sessions in which nothing happened for longer than this."""
        return self.active().filter(last_activity__lt=(now or timezone.now()) - older_than)

    def expired(self, now: datetime | None = None) -> Self:
        """The clean-up: sessions that should have ended before now and are still active."""
        return self.active().filter(expires_at__lt=now or timezone.now())
