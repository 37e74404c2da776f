# ruff: noqa: DJ001 - nullable text is what the schema says: unknown is not empty
"""Report: whether secrets are renewed in time, by environment, department and kind of secret."""

from django.contrib.postgres.functions import TransactionNow
from django.db import models
from django.db.models import Count, F, Min, OuterRef, Q, Subquery
from psqlextra.indexes import UniqueIndex

from pam.models.credentials import Credential, CredentialType
from pam.models.identities import Environment
from pam.models.reports.base import Report, Rows
from pam.models.rotations import CredentialRotation
from pam.postgres.report_expressions import DaysFromNow, RowKey
from pam.querysets.reports import CredentialRotationReportQuerySet

SOON_DAYS = 14


def active_credentials() -> Rows:
    """The active credentials, each of them on schedule, overdue or unscheduled, counted by where they belong."""
    rotations = CredentialRotation.all_objects.alive().filter(credential=OuterRef("id"))
    last_rotation = rotations.order_by("-scheduled_date", "-id")
    return (
        Credential.all_objects.active()
        .annotate(last_status=Subquery(last_rotation.values("status")[:1]))
        .values(
            "credential_type",
            environment=F("service_identity__environment"),
            department=F("service_identity__department"),
        )
        .annotate(
            credentials=Count("id"),
            on_schedule=Count("id", filter=Q(next_rotation_date__gt=TransactionNow())),
            overdue=Count("id", filter=Q(next_rotation_date__lte=TransactionNow())),
            unscheduled=Count("id", filter=Q(next_rotation_date__isnull=True)),
            due_soon=Count(
                "id",
                filter=Q(next_rotation_date__gt=TransactionNow(), next_rotation_date__lte=DaysFromNow(SOON_DAYS)),
            ),
            rotated_by_hand=Count("id", filter=Q(auto_rotation_enabled=False)),
            rotation_failed=Count("id", filter=Q(last_status="failed")),
            expired=Count("id", filter=Q(expires_at__lt=TransactionNow())),
            oldest_due=Min("next_rotation_date", filter=Q(next_rotation_date__lte=TransactionNow())),
            key=RowKey("environment", "department", "credential_type"),
            refreshed_at=TransactionNow(),
        )
    )


class CredentialRotationReport(Report):
    """One kind of secret in one environment of one department: how many are renewed in time."""

    environment = models.CharField(max_length=50, choices=Environment)
    department = models.CharField(max_length=255, null=True)
    credential_type = models.CharField(max_length=50, choices=CredentialType)
    credentials = models.BigIntegerField(help_text="Active ones; the next three add up to it.")
    on_schedule = models.BigIntegerField(help_text="The next rotation is still to come.")
    overdue = models.BigIntegerField(help_text="The next rotation is due.")
    unscheduled = models.BigIntegerField(help_text="No rotation is planned.")
    due_soon = models.BigIntegerField(help_text=f"On schedule, and due within {SOON_DAYS} days.")
    rotated_by_hand = models.BigIntegerField(help_text="The rotation worker leaves them alone.")
    rotation_failed = models.BigIntegerField(help_text="The last rotation did not work.")
    expired = models.BigIntegerField(help_text="Past their end and still active.")
    oldest_due = models.DateTimeField(null=True, help_text="Since when the longest overdue one is.")

    objects = models.Manager.from_queryset(CredentialRotationReportQuerySet)()

    class Meta:
        db_table = "report_credential_rotation"
        verbose_name = "rotation compliance"
        verbose_name_plural = "report: credential rotation"
        default_permissions = ("view",)
        indexes = [UniqueIndex(fields=["key"], name="uq_report_credential_rotation")]

    class ViewMeta:
        query = active_credentials

    def __str__(self) -> str:
        where = self.department or "no department"
        return f"{self.get_credential_type_display()} in {where}, {self.get_environment_display()}"

    @property
    def percent_on_schedule(self) -> float:
        """From 0 to 100; a row has at least one credential."""
        return 100 * self.on_schedule / self.credentials
