# ruff: noqa: DJ001 - nullable text is what the schema says: unknown is not empty
"""People with privileges."""

from django.db import models
from django.db.models import Q, UniqueConstraint

from pam.models import rules
from pam.models.base import CommonModel
from pam.models.choices import ComplianceStatus, RiskLevel
from pam.postgres.fields import UpnField
from pam.postgres.indexes import GinIndex, Index
from pam.querysets.base import AliveManager
from pam.querysets.users import PrivilegedUserQuerySet


class PrivilegedUser(CommonModel):
    """A person's administrative account in Entra, and the ordinary account it was made for."""

    upn = UpnField(max_length=255)
    display_name = models.CharField(max_length=255)
    email = models.CharField(max_length=255, null=True, blank=True)
    source_user_id = models.CharField(max_length=255)
    source_user_upn = UpnField(max_length=255)
    source_user_email = models.CharField(max_length=255, null=True, blank=True)
    azure_object_id = models.UUIDField(null=True, blank=True)
    employee_type = models.CharField(max_length=50, default="Admin", db_default="Admin")
    department = models.CharField(max_length=255, null=True, blank=True)
    job_title = models.CharField(max_length=255, null=True, blank=True)
    company_name = models.CharField(max_length=255, null=True, blank=True)
    office_location = models.CharField(max_length=255, null=True, blank=True)
    manager_upn = UpnField(max_length=255, null=True, blank=True)
    is_active = models.BooleanField(default=True, db_default=True)
    account_enabled = models.BooleanField(default=True, db_default=True)
    blocked_sign_in = models.BooleanField(default=False, db_default=False)
    force_change_password = models.BooleanField(default=True, db_default=True)
    last_tap_generated = models.DateTimeField("last temporary access pass", null=True, blank=True)
    tap_count = models.IntegerField("temporary access passes", default=0, db_default=0)
    usage_location = models.CharField(max_length=2, null=True, blank=True)
    preferred_language = models.CharField(max_length=10, null=True, blank=True)
    last_sign_in = models.DateTimeField(null=True, blank=True)
    last_activity = models.DateTimeField(null=True, blank=True)
    sign_in_count = models.IntegerField(default=0, db_default=0)
    failed_sign_in_count = models.IntegerField(default=0, db_default=0)
    risk_level = models.CharField(
        max_length=50, choices=RiskLevel, default=RiskLevel.MEDIUM, db_default=RiskLevel.MEDIUM
    )
    risk_score = models.IntegerField(null=True, blank=True)
    last_risk_assessment = models.DateTimeField(null=True, blank=True)
    compliance_status = models.CharField(
        max_length=50,
        choices=ComplianceStatus,
        default=ComplianceStatus.COMPLIANT,
        db_default=ComplianceStatus.COMPLIANT,
    )
    last_compliance_check = models.DateTimeField(null=True, blank=True)
    certification_required = models.BooleanField(default=False, db_default=False)
    next_certification_date = models.DateTimeField(null=True, blank=True)

    objects = AliveManager.from_queryset(PrivilegedUserQuerySet)()
    all_objects = models.Manager.from_queryset(PrivilegedUserQuerySet)()

    class Meta:
        db_table = "privileged_users"
        permissions = [
            ("disable_privilegeduser", "Can disable privileged users"),
            ("enable_privilegeduser", "Can enable privileged users"),
        ]
        indexes = [
            Index(fields=["is_active", "department"], name="ix_privileged_users_active_department"),
            Index(fields=["risk_level", "risk_score"], name="ix_privileged_users_risk_level_score"),
            Index(fields=["compliance_status", "last_compliance_check"], name="ix_privileged_users_compliance_status"),
            Index(fields=["last_sign_in", "last_activity"], name="ix_privileged_users_activity"),
            Index(fields=["is_active", "upn"], name="ix_privileged_users_active_upn"),
            Index(fields=["display_name"], name="ix_privileged_users_display_name"),
            Index(fields=["email"], name="ix_privileged_users_email"),
            Index(fields=["source_user_upn"], name="ix_privileged_users_source_user_upn"),
            Index(fields=["manager_upn"], name="ix_privileged_users_manager_upn"),
            Index(
                fields=["upn"],
                name="ix_privileged_users_active_upn_partial",
                condition=Q(is_active=True) & Q(is_deleted=False),
            ),
            Index(fields=["is_deleted", "upn", "id"], name="ix_privileged_users_list"),
            Index(fields=["is_deleted", "risk_level", "upn"], name="ix_privileged_users_list_risk"),
            Index(fields=["is_deleted", "compliance_status", "upn"], name="ix_privileged_users_list_compliance"),
            Index(
                fields=["upn"],
                name="ix_privileged_users_list_inactive",
                condition=Q(is_active=False) & Q(is_deleted=False),
            ),
            Index(
                fields=["next_certification_date"],
                name="ix_privileged_users_list_certification",
                condition=Q(certification_required=True) & Q(is_active=True) & Q(is_deleted=False),
            ),
            GinIndex(
                fields=["upn", "display_name", "email"],
                opclasses=["gin_trgm_ops", "gin_trgm_ops", "gin_trgm_ops"],
                name="ix_privileged_users_search_gin",
            ),
        ]
        constraints = [
            UniqueConstraint(fields=["upn"], name="uq_privileged_users_upn"),
            UniqueConstraint(fields=["source_user_id"], name="uq_privileged_users_source_user_id"),
            UniqueConstraint(fields=["azure_object_id"], name="uq_privileged_users_azure_object_id"),
            *rules.common(db_table),
            *rules.lower_case(db_table, "upn", "source_user_upn", "manager_upn"),
            *rules.counters(db_table, "tap_count", "sign_in_count", "failed_sign_in_count"),
            *rules.scores(db_table, "risk_score"),
            rules.one_of(db_table, "risk_level", RiskLevel),
            rules.one_of(db_table, "compliance_status", ComplianceStatus),
            rules.check(
                db_table,
                "certification",
                Q(certification_required=False) | Q(next_certification_date__isnull=False),
                "A certification that is required needs its next date.",
            ),
        ]

    def __str__(self) -> str:
        return str(self.upn)
