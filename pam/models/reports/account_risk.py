# ruff: noqa: DJ001 - nullable text is what the schema says: unknown is not empty
"""Report: accounts that nobody uses, that are risky, or that are closed and still hold roles."""

from django.contrib.postgres.functions import TransactionNow
from django.db import models
from django.db.models import Count, Exists, F, OuterRef, Q, Subquery, TextChoices, Value
from django.db.models.functions import Coalesce, Greatest
from django.db.models.lookups import LessThan
from psqlextra.indexes import UniqueIndex

from pam.models.assignments import RoleAssignment
from pam.models.choices import ComplianceStatus, RiskLevel
from pam.models.identities import ServiceIdentity
from pam.models.reports.base import Report, Rows
from pam.models.users import PrivilegedUser
from pam.postgres.indexes import GinIndex, Index
from pam.postgres.report_expressions import DaysFromNow, RowKey
from pam.querysets.reports import AccountRiskQuerySet

DORMANT_DAYS = 90
RISKY = Q(risk_level__in=[RiskLevel.HIGH, RiskLevel.CRITICAL]) | Q(compliance_status=ComplianceStatus.NON_COMPLIANT)
# Of the list: what could do most harm comes first.
ORDER = ("-privileged_roles", "-roles", "key")
COLUMNS = (
    *("key", "kind", "account_id", "name", "department", "risk_level", "risk_score", "compliance_status"),
    *("last_seen", "roles", "privileged_roles", "is_closed", "is_dormant", "is_risky", "refreshed_at"),
)


class AccountKind(TextChoices):
    """Who is behind an account."""

    USER = "user"
    SERVICE_IDENTITY = "service_identity"


def accounts_to_look_at() -> Rows:
    """Open accounts that are dormant or risky, and closed ones that hold roles; of users and of service identities."""
    users = PrivilegedUser.all_objects.annotate(
        name=F("upn"),
        last_seen=Greatest("last_sign_in", "last_activity"),
        is_closed=Q(is_deleted=True) | Q(is_active=False) | Q(account_enabled=False) | Q(blocked_sign_in=True),
    )
    identities = ServiceIdentity.all_objects.annotate(
        last_seen=F("last_used"),
        is_closed=Q(is_deleted=True) | Q(is_active=False) | Q(account_enabled=False),
    )
    return _judged(users, AccountKind.USER, "user").union(
        _judged(identities, AccountKind.SERVICE_IDENTITY, "service_identity"), all=True
    )


def _judged(accounts: Rows, kind: AccountKind, holder: str) -> Rows:
    """Those to look at, as the columns of the report. One that was never seen is as dormant as its account is old."""
    held = RoleAssignment.all_objects.active().filter(**{holder: OuterRef("id")}).order_by().values(holder)
    privileged = held.filter(directory_role__is_privileged=True)
    rows: Rows = (
        accounts.annotate(
            kind=Value(kind.value, output_field=models.TextField()),
            account_id=F("id"),
            key=RowKey("kind", "id"),
            roles=Coalesce(Subquery(held.annotate(number=Count("id")).values("number")), 0),
            privileged_roles=Coalesce(Subquery(privileged.annotate(number=Count("id")).values("number")), 0),
            is_dormant=LessThan(Coalesce("last_seen", "created_at"), DaysFromNow(-DORMANT_DAYS)),
            is_risky=RISKY,
            refreshed_at=TransactionNow(),
        )
        .filter((Q(is_closed=False) & (Q(is_dormant=True) | Q(is_risky=True))) | (Q(is_closed=True) & Exists(held)))
        .values(*COLUMNS)
    )
    return rows


class AccountRiskReport(Report):
    """One account, and why somebody should look at it."""

    kind = models.TextField(choices=AccountKind)
    account_id = models.UUIDField()
    name = models.CharField(max_length=255, help_text="Of a user the UPN.")
    department = models.CharField(max_length=255, null=True)
    risk_level = models.CharField(max_length=50, choices=RiskLevel)
    risk_score = models.IntegerField(null=True)
    compliance_status = models.CharField(max_length=50, choices=ComplianceStatus)
    last_seen = models.DateTimeField(null=True, help_text="Never, if empty.")
    roles = models.BigIntegerField(help_text="Active assignments.")
    privileged_roles = models.BigIntegerField(help_text="Those of privileged roles among them.")
    is_closed = models.BooleanField(help_text="Closed, blocked or deleted; it is here since it still holds roles.")
    is_dormant = models.BooleanField(help_text=f"Not used for {DORMANT_DAYS} days.")
    is_risky = models.BooleanField(help_text="Of high or critical risk, or not compliant.")

    objects = models.Manager.from_queryset(AccountRiskQuerySet)()

    class Meta:
        db_table = "report_account_risk"
        verbose_name = "account to look at"
        verbose_name_plural = "report: dormant and risky accounts"
        default_permissions = ("view",)
        indexes = [
            UniqueIndex(fields=["key"], name="uq_report_account_risk"),
            Index(fields=ORDER, name="ix_report_account_risk_list"),
            Index(fields=["kind", *ORDER], name="ix_report_account_risk_list_kind"),
            Index(fields=ORDER, name="ix_report_account_risk_list_open", condition=Q(is_closed=False)),
            Index(fields=["risk_level", *ORDER], name="ix_report_account_risk_list_risk"),
            Index(fields=["compliance_status", *ORDER], name="ix_report_account_risk_list_compliance"),
            GinIndex(
                fields=["name", "department"],
                name="ix_report_account_risk_search_gin",
                opclasses=["gin_trgm_ops", "gin_trgm_ops"],
            ),
        ]

    class ViewMeta:
        query = accounts_to_look_at

    def __str__(self) -> str:
        return self.name
