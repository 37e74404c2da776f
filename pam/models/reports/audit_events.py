"""Report: what happened in this month and the last one, by day, type and result."""

from datetime import UTC

from django.contrib.postgres.functions import TransactionNow
from django.db import models
from django.db.models import Count, Q
from django.db.models.functions import TruncDate
from psqlextra.indexes import UniqueIndex

from pam.models.audit import AuditLog, EventType, Result, Severity
from pam.models.reports.base import Report, Rows
from pam.postgres.report_expressions import MonthStart, RowKey
from pam.querysets.reports import AuditEventReportQuerySet


def events_of_two_months() -> Rows:
    """The events of the month (UTC) of the refresh and of the one before, counted.

    Two partitions are read, whatever the number of months, so a refresh reads the same however old the database is;
    what grows is its planning, which looks every month up in the catalog, some tenths of a millisecond each.
    """
    return (
        AuditLog.objects.filter(timestamp__gte=MonthStart(-1), timestamp__lt=MonthStart(1))
        .values("event_type", "result", day=TruncDate("timestamp", tzinfo=UTC))
        .annotate(
            events=Count("id"),
            suspicious=Count("id", filter=Q(is_suspicious=True)),
            severe=Count("id", filter=Q(severity__in=[Severity.HIGH, Severity.CRITICAL])),
            key=RowKey("day", "event_type", "result"),
            refreshed_at=TransactionNow(),
        )
    )


class AuditEventReport(Report):
    """One type of event with one result on one day (UTC)."""

    day = models.DateField(help_text="In UTC.")
    event_type = models.CharField(max_length=100, choices=EventType)
    result = models.CharField(max_length=50, choices=Result)
    events = models.BigIntegerField()
    suspicious = models.BigIntegerField(help_text="Events that are marked as suspicious.")
    severe = models.BigIntegerField(help_text="Events of high or critical severity.")

    objects = models.Manager.from_queryset(AuditEventReportQuerySet)()

    class Meta:
        db_table = "report_audit_events"
        verbose_name = "events of a day"
        verbose_name_plural = "report: audit events"
        default_permissions = ("view",)
        indexes = [UniqueIndex(fields=["key"], name="uq_report_audit_events")]

    class ViewMeta:
        query = events_of_two_months

    def __str__(self) -> str:
        return f"{self.day}: {self.get_event_type_display()}, {self.get_result_display()}"
