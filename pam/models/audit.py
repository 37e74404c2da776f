# ruff: noqa: DJ001 - nullable text is what the schema says: unknown is not empty
"""What happened. A row is written once: the database refuses to change it, whoever asks."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q, TextChoices
from django.db.models.functions import Now
from django.utils import timezone

from pam.models import rules
from pam.models.base import TimeKeyedModel
from pam.models.identities import ServiceIdentity
from pam.models.users import PrivilegedUser
from pam.postgres.fields import AnyJSONField, HexDigestField, UpnField, UUIDv7Field
from pam.postgres.indexes import GinIndex, Index
from pam.postgres.monthly_model import MonthlyModel
from pam.querysets.audit import AuditLogQuerySet


class EventType(TextChoices):
    """What an event is about."""

    AUTHENTICATION = "authentication"
    AUTHORIZATION = "authorization"
    PRIVILEGED_OPERATION = "privileged_operation"
    CREDENTIAL_ACCESS = "credential_access"
    CONFIGURATION = "configuration"
    COMPLIANCE = "compliance"
    SECURITY_INCIDENT = "security_incident"


class Result(TextChoices):
    """How it ended."""

    SUCCESS = "success"
    FAILURE = "failure"
    DENIED = "denied"
    ERROR = "error"


class Severity(TextChoices):
    """How much it matters."""

    LOW = "low"
    INFO = "info"
    WARNING = "warning"
    HIGH = "high"
    CRITICAL = "critical"


def reference(to: type[models.Model]) -> "models.ForeignKey[Any, Any]":
    """A reference without a foreign key in the database: it neither locks a hot row nor rewrites history.

    The row it names may be gone. Its name stands beside it.
    """
    return models.ForeignKey(
        to,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
        null=True,
        blank=True,
    )


class AuditLog(TimeKeyedModel, MonthlyModel):
    """One event: who did what to whom, from where, with which result."""

    id = UUIDv7Field(primary_key=True, editable=False, time_field="timestamp")
    event_type = models.CharField(max_length=100, choices=EventType)
    event_subtype = models.CharField(max_length=100, null=True, blank=True)
    action = models.CharField(max_length=100)
    result = models.CharField(max_length=50, choices=Result)
    timestamp = models.DateTimeField(default=timezone.now, db_default=Now())
    duration_ms = models.IntegerField(null=True, blank=True)
    actor_user = reference(PrivilegedUser)
    actor_service_identity = reference(ServiceIdentity)
    actor_upn = UpnField(max_length=255, null=True, blank=True)
    actor_display_name = models.CharField(max_length=255, null=True, blank=True)
    target_user = reference(PrivilegedUser)
    target_service_identity = reference(ServiceIdentity)
    target_resource_type = models.CharField(max_length=100, null=True, blank=True)
    target_resource_id = models.CharField(max_length=255, null=True, blank=True)
    target_resource_name = models.CharField(max_length=255, null=True, blank=True)
    session_id = models.UUIDField(null=True, blank=True)
    correlation_id = models.CharField(max_length=255, null=True, blank=True)
    request_id = models.CharField(max_length=255, null=True, blank=True)
    transaction_id = models.CharField(max_length=255, null=True, blank=True)
    source_ip = models.GenericIPAddressField(null=True, blank=True)
    user_agent = models.TextField(null=True, blank=True)
    geographic_location = models.CharField(max_length=255, null=True, blank=True)
    description = models.TextField()
    details = models.TextField(null=True, blank=True)
    previous_values = AnyJSONField(null=True, blank=True)
    new_values = AnyJSONField(null=True, blank=True)
    risk_score = models.IntegerField(null=True, blank=True)
    severity = models.CharField(max_length=50, choices=Severity, default=Severity.INFO, db_default=Severity.INFO)
    is_suspicious = models.BooleanField(default=False, db_default=False)
    anomaly_score = models.FloatField(null=True, blank=True)
    compliance_frameworks = ArrayField(models.CharField(max_length=32), default=list, db_default=[], blank=True)
    regulatory_classification = models.CharField(max_length=100, null=True, blank=True)
    retention_date = models.DateTimeField(null=True, blank=True)
    application = models.CharField(max_length=100, default="menshun", db_default="menshun")
    service = models.CharField(max_length=100, null=True, blank=True)
    api_endpoint = models.CharField(max_length=255, null=True, blank=True)
    http_method = models.CharField(max_length=10, null=True, blank=True)
    response_code = models.IntegerField(null=True, blank=True)
    error_code = models.CharField(max_length=100, null=True, blank=True)
    error_message = models.TextField(null=True, blank=True)
    stack_trace = models.TextField(null=True, blank=True)
    checksum = HexDigestField(null=True, blank=True)
    signature = models.TextField(null=True, blank=True)

    objects = models.Manager.from_queryset(AuditLogQuerySet)()

    class PartitioningMeta:
        method = "range"
        key = ["timestamp"]

    class Meta:
        db_table = "audit_logs"
        permissions = [
            ("export_auditlog", "Can export audit logs"),
        ]
        indexes = [
            Index(fields=["timestamp", "event_type"], name="ix_audit_logs_timestamp_type"),
            Index(fields=["actor_upn", "timestamp"], name="ix_audit_logs_actor_timestamp"),
            Index(
                fields=["target_resource_type", "target_resource_id", "timestamp"],
                name="ix_audit_logs_target_timestamp",
            ),
            Index(fields=["session_id", "correlation_id"], name="ix_audit_logs_session_correlation"),
            Index(fields=["severity", "is_suspicious", "timestamp"], name="ix_audit_logs_severity_suspicious"),
            Index(fields=["source_ip", "timestamp"], name="ix_audit_logs_source_ip"),
            Index(fields=["retention_date"], name="ix_audit_logs_retention"),
            GinIndex(fields=["compliance_frameworks"], name="ix_audit_logs_compliance_gin"),
            GinIndex(
                fields=["description", "details"],
                opclasses=["gin_trgm_ops", "gin_trgm_ops"],
                name="ix_audit_logs_search_gin",
            ),
            Index(fields=["event_type", "timestamp"], name="ix_audit_logs_list_type"),
            # The common ones are among the newest events of all.
            Index(fields=["result", "timestamp"], name="ix_audit_logs_list_result", condition=~Q(result="success")),
            Index(fields=["severity", "timestamp"], name="ix_audit_logs_list_severity", condition=~Q(severity="info")),
            Index(fields=["timestamp"], name="ix_audit_logs_list_suspicious", condition=Q(is_suspicious=True)),
        ]
        constraints = [
            rules.id_time(db_table, "timestamp"),
            *rules.lower_case(db_table, "actor_upn"),
            *rules.scores(db_table, "risk_score", "anomaly_score"),
            *rules.counters(db_table, "duration_ms"),
            rules.one_of(db_table, "event_type", EventType),
            rules.one_of(db_table, "result", Result),
            rules.one_of(db_table, "severity", Severity),
            rules.hex_digest(db_table, "checksum"),
        ]

    def __str__(self) -> str:
        return f"{self.timestamp:%Y-%m-%d %H:%M:%S} {self.action}: {self.result}"
