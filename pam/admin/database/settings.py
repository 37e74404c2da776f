"""Advice on settings: what `pam_settings` says, asked at most every five minutes, since the named queries are run."""

from time import monotonic

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from pam.admin.database.page import database, look, render
from pam.health.advice import Status
from pam.health.finding import by_urgency
from pam.monitoring import last_look
from pam.monitoring.settings_report import SettingsReport, settings_report, what_follows

# For each statement of a query, and the time after which no further query is run.
EACH_MS, ALL_SECONDS = 1_000, 10
# What is to be done comes first.
ORDER = (Status.CHANGE, Status.UNKNOWN, Status.OK)


def settings(request: HttpRequest) -> HttpResponse:
    """Each setting, what this database wants, why, and the statement. Read-only; locks: ACCESS SHARE."""
    now = timezone.now()
    found = look("database_settings", lambda: last_look.look(_key(), now, _ask))
    report = found.found.found if found.found else None
    context = {
        "now": found.found.at if found.found else now,
        "reason": found.reason,
        "report": report,
        "advice": sorted(report.advice, key=lambda one: ORDER.index(one.status)) if report else [],
        "follows": list(what_follows(report.advice)) if report else [],
        "findings": by_urgency(report.findings) if report else [],
        "minutes": last_look.SECONDS // 60,
    }
    return render(request, "database_settings", context)


def in_short() -> list[str]:
    """The last advice in a line; nothing if nobody asked of late. Asks nobody."""
    kept: last_look.Look[SettingsReport] | None = last_look.last(_key())
    if kept is None:
        return []
    wanted = sum(one.status is Status.CHANGE for one in kept.found.advice)
    return [f"{wanted} of {len(kept.found.advice)} should be others, asked at {kept.at:%Y-%m-%d %H:%M} UTC"]


def _key() -> str:
    return f"pam.settings.{database()}"


def _ask() -> SettingsReport:
    until = monotonic() + ALL_SECONDS
    return settings_report(database(), None, timeout_ms=EACH_MS, until=until)
