"""What is asked of the audit log."""

from typing import Self

from django.db import models

from pam.querysets.base import Row
from pam.querysets.search import words_in


class AuditLogQuerySet(models.QuerySet[Row]):
    """Audit events by what people ask about them."""

    def compliance(self, framework: str) -> Self:
        """The auditor: every event that counts for one framework, such as SOX."""
        return self.filter(compliance_frameworks__contains=[framework])

    def search(self, text: str) -> Self:
        """The investigator who knows some words of what was written down."""
        return self.filter(words_in(text, "description", "details"))
