"""Identities that are not people."""

from datetime import timedelta

from django.contrib import admin

from pam.admin.common import CommonAdmin
from pam.admin.duties import Duty
from pam.admin.filters import QuestionFilter
from pam.duties import identities
from pam.models import ServiceIdentity


class IdentityQuestions(QuestionFilter):
    """The named questions about service identities."""

    questions = {
        "active": lambda identities: identities.active(),
        "expiring_within_30_days": lambda identities: identities.expiring_within(timedelta(days=30)),
        "expired": lambda identities: identities.expired(),
        "due_for_rotation": lambda identities: identities.due_for_rotation(),
    }
    orders = {
        "expiring_within_30_days": ("expires_at",),
        "expired": ("expires_at",),
        "due_for_rotation": ("next_rotation_date",),
    }


SUSPEND = Duty(
    name="suspend",
    label="Suspend selected %(verbose_name_plural)s",
    permission="suspend_serviceidentity",
    perform=identities.suspend,
    done="Service identities suspended",
)
REACTIVATE = Duty(
    name="reactivate",
    label="Reactivate selected %(verbose_name_plural)s",
    permission="reactivate_serviceidentity",
    perform=identities.reactivate,
    done="Service identities reactivated",
)


@admin.register(ServiceIdentity)
class ServiceIdentityAdmin(CommonAdmin):
    """Something that runs with privileges, and who answers for it."""

    noun = "identity"
    actions = (*CommonAdmin.actions, SUSPEND, REACTIVATE)
    list_display = ("name", "identity_type", "environment", "owner_upn", "status", "risk_level", "expires_at")
    list_filter = (IdentityQuestions, "identity_type", "environment", "status", "risk_level")
    search_fields = ("name", "description")
    ordering = ("name",)
    sortable_by = ("name",)
    # Counted by those who let it in.
    readonly_fields = ("last_used", "usage_count", "api_calls_last_30_days")
    fieldsets = (
        (None, {"fields": ("name", "identity_type", "description")}),
        ("In Entra", {"fields": ("azure_object_id", "client_id", "upn", "tenant_id")}),
        (
            "Responsible",
            {"fields": ("owner_upn", "department", "business_contact", "technical_contact", "cost_center")},
        ),
        (
            "Life",
            {
                "fields": (
                    "is_active",
                    "account_enabled",
                    "status",
                    "expires_at",
                    "environment",
                    "requires_approval",
                    *readonly_fields,
                )
            },
        ),
        (
            "Where it runs",
            {
                "fields": (
                    "application_name",
                    "application_url",
                    "resource_group",
                    "subscription_id",
                    "cluster_name",
                    "kubernetes_namespace",
                    "kubernetes_service_account",
                    "oidc_issuer_url",
                    "ip_restrictions",
                )
            },
        ),
        (
            "Its secrets",
            {
                "fields": (
                    "has_password",
                    "has_client_secret",
                    "has_certificate",
                    "requires_mfa",
                    "password_last_changed",
                    "credential_rotation_frequency_days",
                    "next_rotation_date",
                )
            },
        ),
        (
            "Risk and compliance",
            {
                "fields": (
                    "criticality",
                    "data_classification",
                    "risk_level",
                    "risk_score",
                    "compliance_status",
                    "last_compliance_check",
                )
            },
        ),
    )
