"""Are the reports there, filled, and fresh enough to be believed?"""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from pam.health.finding import Finding, Severity
from pam.postgres.view_age import Filling, ViewAge

MAKER = "0014_phase3_reporting_views"
# Refreshed daily, one of two days was missed.
OLD = timedelta(days=2)


def judge_reports(reports: Collection[ViewAge], applied: Collection[str], now: datetime) -> list[Finding]:
    """The findings on the reports, if the migration that makes them is applied, as of the clock that is passed in."""
    return [finding for one in reports for finding in _judge(one, now)] if MAKER in applied else []


def _judge(one: ViewAge, now: datetime) -> Iterator[Finding]:
    refresh = f"python manage.py pgrefreshmv --concurrently {one.view}"
    if one.filling is Filling.NOT_THERE:
        again = "python manage.py migrate pam 0013_phase3_extended_statistics && python manage.py migrate"
        yield Finding("report-missing", Severity.ERROR, one.view, f"{MAKER} is applied, and it is not there", again)
    elif one.filling is Filling.NEVER_FILLED:
        fill = f"python manage.py pgrefreshmv {one.view}"
        yield Finding("report-empty", Severity.WARNING, one.view, "it was never filled, and cannot be read", fill)
    elif one.refreshed_at is not None and now - one.refreshed_at > OLD:
        evidence = f"it says how things were at {one.refreshed_at:%Y-%m-%d %H:%M} UTC"
        yield Finding("report-old", Severity.WARNING, one.view, evidence, refresh)
