# ruff: noqa: DJ001 - nullable text is what the schema says: unknown is not empty
"""Who is signed in, from where, since when."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q, TextChoices, UniqueConstraint
from django.db.models.functions import Now
from django.utils.crypto import salted_hmac
from django.utils.timezone import now

from pam.models import rules
from pam.models.base import CommonModel
from pam.models.users import PrivilegedUser
from pam.postgres.fields import HexDigestField
from pam.postgres.indexes import Index
from pam.postgres.monthly_model import MonthlyModel
from pam.querysets.base import AliveManager
from pam.querysets.sessions import SessionQuerySet


class TerminationReason(TextChoices):
    """Why a session ended."""

    LOGOUT = "logout"
    TIMEOUT = "timeout"
    ADMIN = "admin"
    SECURITY = "security"


class AuthenticationMethod(TextChoices):
    """How the user signed in."""

    PASSWORD = "password"  # noqa: S105 (the name of a method, not a password)
    MFA = "mfa", "MFA"
    SSO = "sso", "SSO"
    CERTIFICATE = "certificate"


class Session(CommonModel, MonthlyModel):
    """One sign-in of a privileged user. The token is never stored, only a hash of it under the project's key."""

    session_token_hash = HexDigestField()
    user = models.ForeignKey(PrivilegedUser, on_delete=models.PROTECT, db_index=False, related_name="sessions")
    last_activity = models.DateTimeField(default=now, db_default=Now())
    expires_at = models.DateTimeField()
    is_active = models.BooleanField(default=True, db_default=True)
    terminated_at = models.DateTimeField(null=True, blank=True)
    termination_reason = models.CharField(max_length=100, null=True, blank=True, choices=TerminationReason)
    authentication_method = models.CharField(max_length=50, choices=AuthenticationMethod)
    mfa_verified = models.BooleanField(default=False, db_default=False)
    mfa_methods = ArrayField(models.CharField(), default=list, db_default=[], blank=True)
    risk_score = models.IntegerField(default=50, db_default=50)
    source_ip = models.GenericIPAddressField()
    user_agent = models.TextField(null=True, blank=True)
    geographic_location = models.CharField(max_length=255, null=True, blank=True)
    country_code = models.CharField(max_length=2, null=True, blank=True)
    timezone = models.CharField(max_length=50, null=True, blank=True)
    device_fingerprint = models.CharField(max_length=255, null=True, blank=True)
    browser_name = models.CharField(max_length=100, null=True, blank=True)
    browser_version = models.CharField(max_length=50, null=True, blank=True)
    operating_system = models.CharField(max_length=100, null=True, blank=True)
    device_type = models.CharField(max_length=50, null=True, blank=True)
    is_mobile = models.BooleanField(default=False, db_default=False)
    is_suspicious = models.BooleanField(default=False, db_default=False)
    anomaly_score = models.FloatField(null=True, blank=True)
    security_flags = ArrayField(models.CharField(), default=list, db_default=[], blank=True)
    concurrent_session_count = models.IntegerField(default=1, db_default=1)
    request_count = models.IntegerField(default=0, db_default=0)
    privileged_operations_count = models.IntegerField(default=0, db_default=0)
    failed_operations_count = models.IntegerField(default=0, db_default=0)
    last_privileged_operation = models.DateTimeField(null=True, blank=True)
    session_name = models.CharField(max_length=255, null=True, blank=True)
    application_context = models.CharField(max_length=100, null=True, blank=True)
    client_version = models.CharField(max_length=50, null=True, blank=True)
    compliance_notes = models.TextField(null=True, blank=True)

    objects = AliveManager.from_queryset(SessionQuerySet)()
    all_objects = models.Manager.from_queryset(SessionQuerySet)()

    class PartitioningMeta:
        method = "range"
        key = ["created_at"]

    class Meta:
        db_table = "sessions"
        permissions = [
            ("terminate_session", "Can terminate sessions"),
        ]
        indexes = [
            Index(fields=["user", "is_active", "last_activity"], name="ix_sessions_user_active"),
            Index(fields=["source_ip", "created_at"], name="ix_sessions_ip_created"),
            Index(fields=["is_suspicious", "risk_score", "created_at"], name="ix_sessions_suspicious_risk"),
            Index(fields=["device_fingerprint", "user"], name="ix_sessions_device_fingerprint"),
            Index(fields=["expires_at", "is_active"], name="ix_sessions_expiry_cleanup"),
            Index(fields=["country_code", "geographic_location"], name="ix_sessions_geographic"),
            Index(fields=["last_activity"], name="ix_sessions_active_activity"),
            Index(
                fields=["expires_at", "is_active"],
                name="ix_sessions_expiry_cleanup_partial",
                condition=Q(is_active=True),
            ),
            Index(fields=["last_activity"], name="ix_sessions_active_activity_partial", condition=Q(is_active=True)),
            Index(
                fields=["last_activity"],
                name="ix_sessions_list_suspicious",
                condition=Q(is_suspicious=True) & Q(is_deleted=False),
            ),
            Index(fields=["last_activity"], name="ix_sessions_list_deleted", condition=Q(is_deleted=True)),
        ]
        constraints = [
            UniqueConstraint(fields=["session_token_hash"], name="uq_sessions_session_token_hash"),
            *rules.common(db_table),
            *rules.scores(db_table, "risk_score", "anomaly_score"),
            *rules.counters(
                db_table,
                "concurrent_session_count",
                "request_count",
                "privileged_operations_count",
                "failed_operations_count",
            ),
            rules.hex_digest(db_table, "session_token_hash"),
            rules.one_of(db_table, "termination_reason", TerminationReason),
            rules.one_of(db_table, "authentication_method", AuthenticationMethod),
            rules.ends_after(db_table, "expires_at", "created_at"),
            rules.check(
                db_table,
                "terminated_at",
                Q(terminated_at__gte=F("created_at")),
                "A session cannot end before it has begun.",
            ),
            rules.check(
                db_table,
                "terminated",
                Q(is_active=True, terminated_at__isnull=True, termination_reason__isnull=True)
                | Q(is_active=False, terminated_at__isnull=False),
                "Active, or ended with its time; only then a reason.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} from {self.source_ip} at {self.created_at:%Y-%m-%d %H:%M}"

    @staticmethod
    def hash_token(token: str) -> str:
        """What is stored in place of a token: without SECRET_KEY nobody can make, or try out, such a hash."""
        return salted_hmac("pam.Session", token, algorithm="sha256").hexdigest()
