# ruff: noqa: DJ001 - nullable text is what the schema says: unknown is not empty
"""The roles of the directory, and which of them nobody may hold together."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q, UniqueConstraint, UUIDField
from django.db.models.functions import Now
from django.utils import timezone

from pam.models import rules
from pam.models.base import CommonModel, TimeKeyedModel
from pam.models.choices import RiskLevel
from pam.postgres.fields import AnyJSONField, UUIDv7Field
from pam.postgres.indexes import GinIndex, Index
from pam.querysets.base import AliveManager
from pam.querysets.roles import DirectoryRoleQuerySet


class DirectoryRole(CommonModel):
    """A role of Entra, what it allows, and what must be done before somebody gets it."""

    template_id = models.UUIDField()
    role_name = models.CharField(max_length=255)
    description = models.TextField(null=True, blank=True)
    category = models.CharField(max_length=100)
    subcategory = models.CharField(max_length=100, null=True, blank=True)
    is_privileged = models.BooleanField(default=False, db_default=False)
    is_built_in = models.BooleanField(default=True, db_default=True)
    is_enabled = models.BooleanField(default=True, db_default=True)
    risk_level = models.CharField(
        max_length=50, choices=RiskLevel, default=RiskLevel.MEDIUM, db_default=RiskLevel.MEDIUM
    )
    risk_score = models.IntegerField(default=50, db_default=50)
    requires_justification = models.BooleanField(default=False, db_default=False)
    requires_approval = models.BooleanField(default=False, db_default=False)
    requires_certification = models.BooleanField(default=False, db_default=False)
    training_required = models.BooleanField(default=False, db_default=False)
    max_assignment_duration_days = models.IntegerField(null=True, blank=True)
    certification_frequency_days = models.IntegerField(null=True, blank=True)
    permissions = AnyJSONField(default=list, db_default=[], blank=True)
    graph_permissions_delegated = AnyJSONField(default=list, db_default=[], blank=True)
    graph_permissions_application = AnyJSONField(default=list, db_default=[], blank=True)
    scope = models.CharField(max_length=50, default="directory", db_default="directory")
    can_manage_users = models.BooleanField(default=False, db_default=False)
    can_manage_groups = models.BooleanField(default=False, db_default=False)
    can_manage_applications = models.BooleanField(default=False, db_default=False)
    can_manage_devices = models.BooleanField(default=False, db_default=False)
    can_write_directory = models.BooleanField(default=False, db_default=False)
    can_read_directory = models.BooleanField(default=True, db_default=True)
    compliance_frameworks = ArrayField(models.CharField(max_length=32), default=list, db_default=[], blank=True)
    assignment_count = models.IntegerField(default=0, db_default=0)
    total_assignments = models.IntegerField(default=0, db_default=0)
    last_assigned = models.DateTimeField(null=True, blank=True)
    average_assignment_duration_days = models.FloatField(null=True, blank=True)
    azure_role_id = models.CharField(max_length=255, null=True, blank=True)
    role_version = models.CharField(max_length=50, default="1.0", db_default="1.0")
    documentation_url = models.CharField(max_length=500, null=True, blank=True)
    training_url = models.CharField(max_length=500, null=True, blank=True)

    objects = AliveManager.from_queryset(DirectoryRoleQuerySet)()
    all_objects = models.Manager.from_queryset(DirectoryRoleQuerySet)()

    class Meta:
        db_table = "directory_roles"
        indexes = [
            Index(fields=["category", "is_privileged"], name="ix_directory_roles_category_privileged"),
            Index(fields=["risk_level", "risk_score"], name="ix_directory_roles_risk_level_score"),
            Index(fields=["is_enabled", "category"], name="ix_directory_roles_enabled_category"),
            Index(fields=["assignment_count"], name="ix_directory_roles_assignment_count"),
            Index(fields=["role_name"], name="ix_directory_roles_role_name"),
            GinIndex(
                fields=["role_name", "description"],
                opclasses=["gin_trgm_ops", "gin_trgm_ops"],
                name="ix_directory_roles_search_gin",
            ),
        ]
        constraints = [
            UniqueConstraint(fields=["template_id"], name="uq_directory_roles_template_id"),
            *rules.common(db_table),
            *rules.scores(db_table, "risk_score"),
            *rules.positive(db_table, "max_assignment_duration_days", "certification_frequency_days"),
            *rules.counters(db_table, "assignment_count", "total_assignments"),
            rules.check(
                db_table,
                "average_assignment_duration_days",
                # To PostgreSQL, NaN is greater than any number, infinity too: a lower bound alone would let it in.
                Q(average_assignment_duration_days__gte=0, average_assignment_duration_days__lt=float("inf")),
                "average_assignment_duration_days: 0 or more.",
            ),
            rules.one_of(db_table, "risk_level", RiskLevel),
        ]

    def __str__(self) -> str:
        return self.role_name

    def conflicting_roles(self) -> models.QuerySet["DirectoryRole"]:
        """The roles that a holder of this one may not hold."""
        return DirectoryRole.objects.filter(
            Q(conflicts_as_first__conflicting_role=self) | Q(conflicts_as_second__role=self)
        )


class DirectoryRoleConflict(TimeKeyedModel):
    """Two roles that nobody may hold together.

    A conflict has no direction, so each pair is stored once, the smaller id first: no second row can contradict it.
    `save()` and `full_clean()` put the two in order; `bulk_create()` and plain SQL must, or the CHECK refuses.
    """

    id = UUIDv7Field(primary_key=True, editable=False, time_field="created_at")
    role = models.ForeignKey(DirectoryRole, on_delete=models.PROTECT, db_index=False, related_name="conflicts_as_first")
    conflicting_role = models.ForeignKey(
        DirectoryRole, on_delete=models.PROTECT, db_index=False, related_name="conflicts_as_second"
    )
    created_at = models.DateTimeField(default=timezone.now, db_default=Now())
    created_by = models.CharField(max_length=255, null=True, blank=True)

    class Meta:
        db_table = "directory_role_conflicts"
        indexes = [Index(fields=["conflicting_role"], name="ix_directory_role_conflicts_conflicting_role")]
        constraints = [
            UniqueConstraint(fields=["role", "conflicting_role"], name="uq_directory_role_conflicts_pair"),
            rules.id_time(db_table, "created_at"),
            rules.check(
                db_table,
                "not_itself",
                ~Q(role=F("conflicting_role")),
                "A role cannot be in conflict with itself.",
            ),
            rules.check(
                db_table,
                "ordered",
                Q(role__lte=F("conflicting_role")),
                "The role with the smaller id comes first.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} or {self.conflicting_role}, not both"

    def clean(self) -> None:
        """A form may name the two roles in any order."""
        super().clean()
        self._put_in_order()

    def save(self, **options: Any) -> None:
        """As the others', with the two roles in order."""
        self._put_in_order()
        super().save(**options)

    def _put_in_order(self) -> None:
        to_python = UUIDField().to_python
        first, second = to_python(self.role_id), to_python(self.conflicting_role_id)
        if first and second and first > second:
            self.role_id, self.conflicting_role_id = second, first
