"""Choices that several tables share; each is held by a CHECK too. A table's own choices stand beside its model."""

from django.db.models import TextChoices


class Classification(TextChoices):
    """How far the data of a row may travel."""

    PUBLIC = "public"
    INTERNAL = "internal"
    CONFIDENTIAL = "confidential"
    RESTRICTED = "restricted"


class RiskLevel(TextChoices):
    """How bad it would be, or how likely."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class ComplianceStatus(TextChoices):
    """What the last compliance check said."""

    COMPLIANT = "compliant"
    NON_COMPLIANT = "non_compliant"
    PENDING_REVIEW = "pending_review"
