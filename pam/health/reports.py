"""Are the reports there, filled, and fresh enough to be believed?"""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from pam.health.finding import Finding, Severity
from pam.models.reports import REPORTS
from pam.postgres.view_age import Filling, ViewAge

MAKER = "0014_phase3_reporting_views"
# Refreshed daily, one of two days was missed.
OLD = timedelta(days=2)


def judge_reports(reports: Collection[ViewAge], applied: Collection[str], alias: str, now: datetime) -> list[Finding]:
    """The findings on the reports, if the migration that makes them is applied, as of the clock that is passed in.

    `alias`: for the cures.
    """
    return [finding for one in reports for finding in _judge(one, alias, now)] if MAKER in applied else []


def _judge(one: ViewAge, alias: str, now: datetime) -> Iterator[Finding]:
    (report,) = (report for report in REPORTS if report._meta.db_table == one.view)
    if one.filling is Filling.NOT_THERE:
        back = f"python manage.py migrate pam 0013_phase3_extended_statistics --database {alias}"
        again = f"{back} && python manage.py migrate --database {alias}"
        yield Finding("report-missing", Severity.ERROR, one.view, f"{MAKER} is applied, and it is not there", again)
    elif one.filling is Filling.NEVER_FILLED:
        fill = report.refresh_command(alias, concurrently=False)
        yield Finding("report-empty", Severity.WARNING, one.view, "it was never filled, and cannot be read", fill)
    elif one.refreshed_at is not None and now - one.refreshed_at > OLD:
        evidence = f"it says how things were at {one.refreshed_at:%Y-%m-%d %H:%M} UTC"
        refresh = report.refresh_command(alias, concurrently=True)
        yield Finding("report-old", Severity.WARNING, one.view, evidence, refresh)
