"""What is asked of privileged users."""

from datetime import datetime
from typing import Self

from django.utils import timezone

from pam.querysets.base import Row, SoftDeleteQuerySet
from pam.querysets.search import words_in


class PrivilegedUserQuerySet(SoftDeleteQuerySet[Row]):
    """Privileged users by what people ask about them."""

    def active(self) -> Self:
        """The sign-in, which looks a UPN up; the operator who lists who can do what today."""
        return self.alive().filter(is_active=True)

    def due_for_certification(self, now: datetime | None = None) -> Self:
        """The auditor: whose access must be certified again by now."""
        return self.active().filter(certification_required=True, next_certification_date__lte=now or timezone.now())

    def search(self, text: str) -> Self:
        """The operator who knows a part of a name or an address."""
        return self.filter(words_in(text, "upn", "display_name", "email"))
