"""What is asked of the reports."""

from typing import Self

from django.db import models
from django.db.models import F

from pam.querysets.base import Row
from pam.querysets.search import words_in


class PrivilegedAccessQuerySet(models.QuerySet[Row]):
    """Roles by department, by what people ask about them."""

    def privileged(self) -> Self:
        """The auditor: only the roles that Entra calls privileged."""
        return self.filter(is_privileged=True)

    def of_department(self, department: str | None) -> Self:
        """The head of a department, who certifies; None: of holders that belong to none."""
        return self.filter(department=department) if department is not None else self.filter(department__isnull=True)

    def search(self, text: str) -> Self:
        """The auditor who knows a part of the role's name, or the department."""
        return self.filter(words_in(text, "role_name", "department"))


class CredentialRotationReportQuerySet(models.QuerySet[Row]):
    """Rotation compliance by what people ask about it."""

    def non_compliant(self) -> Self:
        """The auditor: where at least one secret is overdue, or not planned to be renewed at all."""
        return self.exclude(on_schedule=F("credentials"))

    def search(self, text: str) -> Self:
        """The auditor who knows a part of the department's name, or the kind of secret."""
        return self.filter(words_in(text, "department", "environment", "credential_type"))


class AuditEventReportQuerySet(models.QuerySet[Row]):
    """Counted events by what people ask about them."""

    def unsuccessful(self) -> Self:
        """The security officer, every morning: what failed, was denied or ended in an error."""
        return self.exclude(result="success")

    def search(self, text: str) -> Self:
        """The security officer who knows the type or the result."""
        return self.filter(words_in(text, "event_type", "result"))


class AccountRiskQuerySet(models.QuerySet[Row]):
    """Accounts to look at, by why."""

    def dormant(self) -> Self:
        """The clean-up, monthly: open accounts that nobody uses."""
        return self.filter(is_closed=False, is_dormant=True)

    def risky(self) -> Self:
        """The security officer, daily: open accounts of high risk, or not compliant."""
        return self.filter(is_closed=False, is_risky=True)

    def closed_with_roles(self) -> Self:
        """The worker that takes roles back: accounts that should hold none any more."""
        return self.filter(is_closed=True)

    def search(self, text: str) -> Self:
        """The security officer who knows a part of the name, or the department."""
        return self.filter(words_in(text, "name", "department"))
