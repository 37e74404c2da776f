# ruff: noqa: DJ001 - nullable text is what the schema says: unknown is not empty
"""Report: who holds which role, by role and department."""

from django.contrib.postgres.functions import TransactionNow
from django.db import models
from django.db.models import Count, F, Q
from django.db.models.functions import Coalesce
from psqlextra.indexes import UniqueIndex

from pam.models.assignments import RoleAssignment
from pam.models.choices import RiskLevel
from pam.models.reports.base import Report, Rows
from pam.postgres.indexes import Index
from pam.postgres.report_expressions import RowKey
from pam.querysets.reports import PrivilegedAccessQuerySet

CLOSED_HOLDER = (
    Q(user__is_deleted=True)
    | Q(user__is_active=False)
    | Q(service_identity__is_deleted=True)
    | Q(service_identity__is_active=False)
)


def held_roles() -> Rows:
    """The active assignments, counted by role and by the department of the holder."""
    return (
        RoleAssignment.all_objects.active()
        .values(
            role_id=F("directory_role_id"),
            role_name=F("directory_role__role_name"),
            risk_level=F("directory_role__risk_level"),
            is_privileged=F("directory_role__is_privileged"),
            department=Coalesce("user__department", "service_identity__department"),
        )
        .annotate(
            assignments=Count("id"),
            users=Count("user", distinct=True),
            service_identities=Count("service_identity", distinct=True),
            emergencies=Count("id", filter=Q(is_emergency=True)),
            without_end=Count("id", filter=Q(expires_at__isnull=True)),
            past_end=Count("id", filter=Q(expires_at__lt=TransactionNow())),
            to_certify=Count(
                "id", filter=Q(requires_certification=True, next_certification_date__lte=TransactionNow())
            ),
            of_closed_holders=Count("id", filter=CLOSED_HOLDER),
            key=RowKey("role_id", "department"),
            refreshed_at=TransactionNow(),
        )
    )


class PrivilegedAccessReport(Report):
    """One role in one department: how many hold it now, and how."""

    role_id = models.UUIDField()
    role_name = models.CharField(max_length=255)
    risk_level = models.CharField(max_length=50, choices=RiskLevel)
    is_privileged = models.BooleanField()
    department = models.CharField(max_length=255, null=True)
    assignments = models.BigIntegerField(help_text="Active ones.")
    users = models.BigIntegerField(help_text="People among the holders.")
    service_identities = models.BigIntegerField(help_text="Service identities among the holders.")
    emergencies = models.BigIntegerField(help_text="Assignments that were given in an emergency.")
    without_end = models.BigIntegerField(help_text="Assignments that never expire.")
    past_end = models.BigIntegerField(help_text="Assignments that should have ended and are still active.")
    to_certify = models.BigIntegerField(help_text="Assignments whose certification is due.")
    of_closed_holders = models.BigIntegerField(help_text="Assignments of accounts that are closed or deleted.")

    objects = models.Manager.from_queryset(PrivilegedAccessQuerySet)()

    class Meta:
        db_table = "report_privileged_access"
        verbose_name = "privileged access"
        verbose_name_plural = "report: privileged access"
        default_permissions = ("view",)
        indexes = [
            UniqueIndex(fields=["key"], name="uq_report_privileged_access"),
            Index(fields=["-is_privileged", "-assignments", "key"], name="ix_report_privileged_access_list"),
        ]

    class ViewMeta:
        query = held_roles

    def __str__(self) -> str:
        return f"{self.role_name} in {self.department or 'no department'}"
