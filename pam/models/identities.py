# ruff: noqa: DJ001 - nullable text is what the schema says: unknown is not empty
"""Identities that are not people: service accounts, service principals, workloads."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q, TextChoices, UniqueConstraint

from pam.models import rules
from pam.models.base import CommonModel
from pam.models.choices import Classification, ComplianceStatus, RiskLevel
from pam.postgres.fields import CidrField, UpnField
from pam.postgres.indexes import GinIndex, Index
from pam.querysets.base import AliveManager
from pam.querysets.identities import ServiceIdentityQuerySet


class IdentityType(TextChoices):
    """What kind of identity Entra, or a cluster, says it is."""

    SERVICE_ACCOUNT = "service_account"
    SERVICE_PRINCIPAL = "service_principal"
    MANAGED_IDENTITY_SYSTEM = "managed_identity_system"
    MANAGED_IDENTITY_USER = "managed_identity_user"
    WORKLOAD_IDENTITY = "workload_identity"


class Environment(TextChoices):
    """Where it runs."""

    PRODUCTION = "production"
    STAGING = "staging"
    DEVELOPMENT = "development"
    TEST = "test"


class IdentityStatus(TextChoices):
    """Where it is in its life."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    SUSPENDED = "suspended"
    PENDING_DELETION = "pending_deletion"


class ServiceIdentity(CommonModel):
    """Something that runs with privileges, who answers for it, and when its secrets must be renewed."""

    name = models.CharField(max_length=255)
    identity_type = models.CharField(max_length=50, choices=IdentityType)
    description = models.TextField(null=True, blank=True)
    azure_object_id = models.UUIDField(null=True, blank=True)
    client_id = models.UUIDField(null=True, blank=True)
    upn = UpnField(max_length=255, null=True, blank=True)
    tenant_id = models.UUIDField(null=True, blank=True)
    department = models.CharField(max_length=255, null=True, blank=True)
    owner_upn = UpnField(max_length=255, null=True, blank=True)
    business_contact = models.CharField(max_length=255, null=True, blank=True)
    technical_contact = models.CharField(max_length=255, null=True, blank=True)
    cost_center = models.CharField(max_length=100, null=True, blank=True)
    environment = models.CharField(
        max_length=50, choices=Environment, default=Environment.PRODUCTION, db_default=Environment.PRODUCTION
    )
    criticality = models.CharField(
        max_length=50, choices=RiskLevel, default=RiskLevel.MEDIUM, db_default=RiskLevel.MEDIUM
    )
    data_classification = models.CharField(
        max_length=50, choices=Classification, default=Classification.INTERNAL, db_default=Classification.INTERNAL
    )
    is_active = models.BooleanField(default=True, db_default=True)
    account_enabled = models.BooleanField(default=True, db_default=True)
    status = models.CharField(
        max_length=50, choices=IdentityStatus, default=IdentityStatus.ACTIVE, db_default=IdentityStatus.ACTIVE
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used = models.DateTimeField(null=True, blank=True)
    application_name = models.CharField(max_length=255, null=True, blank=True)
    application_url = models.CharField(max_length=500, null=True, blank=True)
    resource_group = models.CharField(max_length=255, null=True, blank=True)
    subscription_id = models.CharField(max_length=255, null=True, blank=True)
    kubernetes_namespace = models.CharField(max_length=255, null=True, blank=True)
    kubernetes_service_account = models.CharField(max_length=255, null=True, blank=True)
    cluster_name = models.CharField(max_length=255, null=True, blank=True)
    oidc_issuer_url = models.CharField(max_length=500, null=True, blank=True)
    risk_level = models.CharField(
        max_length=50, choices=RiskLevel, default=RiskLevel.MEDIUM, db_default=RiskLevel.MEDIUM
    )
    risk_score = models.IntegerField(default=50, db_default=50)
    requires_mfa = models.BooleanField(default=False, db_default=False)
    ip_restrictions = ArrayField(CidrField(), default=list, db_default=[], blank=True)
    has_password = models.BooleanField(default=False, db_default=False)
    has_client_secret = models.BooleanField(default=False, db_default=False)
    has_certificate = models.BooleanField(default=False, db_default=False)
    password_last_changed = models.DateTimeField(null=True, blank=True)
    credential_rotation_frequency_days = models.IntegerField(default=90, db_default=90)
    next_rotation_date = models.DateTimeField(null=True, blank=True)
    compliance_status = models.CharField(
        max_length=50,
        choices=ComplianceStatus,
        default=ComplianceStatus.COMPLIANT,
        db_default=ComplianceStatus.COMPLIANT,
    )
    last_compliance_check = models.DateTimeField(null=True, blank=True)
    requires_approval = models.BooleanField(default=False, db_default=False)
    usage_count = models.IntegerField(default=0, db_default=0)
    api_calls_last_30_days = models.IntegerField(default=0, db_default=0)

    objects = AliveManager.from_queryset(ServiceIdentityQuerySet)()
    all_objects = models.Manager.from_queryset(ServiceIdentityQuerySet)()

    class Meta:
        db_table = "service_identities"
        permissions = [
            ("suspend_serviceidentity", "Can suspend service identities"),
            ("reactivate_serviceidentity", "Can reactivate service identities"),
        ]
        verbose_name_plural = "service identities"
        indexes = [
            Index(fields=["identity_type", "status"], name="ix_service_identities_type_status"),
            Index(fields=["environment", "department"], name="ix_service_identities_env_dept"),
            Index(fields=["risk_level", "risk_score"], name="ix_service_identities_risk_level_score"),
            Index(fields=["next_rotation_date"], name="ix_service_identities_rotation"),
            Index(fields=["expires_at"], name="ix_service_identities_expiration"),
            Index(fields=["is_active", "name"], name="ix_service_identities_active_name"),
            Index(fields=["tenant_id"], name="ix_service_identities_tenant_id"),
            Index(fields=["owner_upn"], name="ix_service_identities_owner_upn"),
            Index(fields=["last_used"], name="ix_service_identities_last_used"),
            Index(fields=["application_name"], name="ix_service_identities_application_name"),
            Index(
                fields=["name"],
                name="ix_service_identities_active_name_partial",
                condition=Q(is_active=True) & Q(is_deleted=False),
            ),
            Index(
                fields=["next_rotation_date"],
                name="ix_service_identities_rotation_partial",
                condition=Q(next_rotation_date__isnull=False) & Q(is_active=True),
            ),
            Index(
                fields=["expires_at"],
                name="ix_service_identities_expiration_partial",
                condition=Q(expires_at__isnull=False) & Q(is_active=True),
            ),
            GinIndex(
                fields=["name", "description"],
                opclasses=["gin_trgm_ops", "gin_trgm_ops"],
                name="ix_service_identities_search_gin",
            ),
            Index(fields=["name", "is_deleted", "id"], name="ix_service_identities_list"),
            Index(fields=["name"], name="ix_service_identities_list_deleted", condition=Q(is_deleted=True)),
            Index(fields=["is_deleted", "identity_type", "name"], name="ix_service_identities_list_type"),
            Index(fields=["is_deleted", "environment", "name"], name="ix_service_identities_list_environment"),
            Index(fields=["is_deleted", "status", "name"], name="ix_service_identities_list_status"),
            Index(fields=["is_deleted", "risk_level", "name"], name="ix_service_identities_list_risk"),
        ]
        constraints = [
            UniqueConstraint(fields=["azure_object_id"], name="uq_service_identities_azure_object_id"),
            UniqueConstraint(fields=["client_id"], name="uq_service_identities_client_id"),
            UniqueConstraint(fields=["upn"], name="uq_service_identities_upn"),
            *rules.common(db_table),
            *rules.lower_case(db_table, "upn", "owner_upn"),
            *rules.scores(db_table, "risk_score"),
            *rules.positive(db_table, "credential_rotation_frequency_days"),
            *rules.counters(db_table, "usage_count", "api_calls_last_30_days"),
            rules.one_of(db_table, "identity_type", IdentityType),
            rules.one_of(db_table, "environment", Environment),
            rules.one_of(db_table, "criticality", RiskLevel),
            rules.one_of(db_table, "data_classification", Classification),
            rules.one_of(db_table, "status", IdentityStatus),
            rules.one_of(db_table, "risk_level", RiskLevel),
            rules.one_of(db_table, "compliance_status", ComplianceStatus),
            rules.ends_after(db_table, "expires_at", "created_at"),
            rules.check(
                db_table,
                "principal_has_client",
                ~Q(identity_type="service_principal") | Q(client_id__isnull=False),
                "A service principal has a client id.",
            ),
            rules.check(
                db_table,
                "workload_has_issuer",
                ~Q(identity_type="workload_identity") | Q(oidc_issuer_url__isnull=False, oidc_issuer_url__regex=r"\S"),
                "A workload identity has an OIDC issuer.",
            ),
        ]

    def __str__(self) -> str:
        return self.name
