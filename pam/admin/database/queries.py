"""The named queries' last verdicts: what `pam_explain --analyze` says, asked at most every five minutes."""

from collections.abc import Sequence
from time import monotonic

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from pam.admin.database.page import database, look, render
from pam.explain.judge import Verdict
from pam.monitoring import last_look
from pam.monitoring.verdicts import require_tables, verdicts_on
from pam.workload import QUERIES

# For each query, and the time after which no further one is asked.
EACH_MS, ALL_SECONDS = 2_000, 15


def queries(request: HttpRequest) -> HttpResponse:
    """Each query against what it promises, as of the last time that somebody looked. Read-only; ACCESS SHARE."""
    now = timezone.now()
    found = look("database_queries", lambda: last_look.look(_key(), now, _ask))
    verdicts = found.found.found if found.found else ()
    asked = {verdict.name for verdict in verdicts}
    context = {
        "now": found.found.at if found.found else now,
        "reason": found.reason,
        "verdicts": [(one, QUERIES[one.name].about) for one in sorted(verdicts, key=lambda one: one.passes)],
        "not_asked": [name for name in QUERIES if name not in asked],
        "seconds": ALL_SECONDS,
        "minutes": last_look.SECONDS // 60,
    }
    return render(request, "database_queries", context)


def in_short() -> list[str]:
    """The last verdicts in a line; nothing if nobody asked of late. Asks nobody."""
    kept: last_look.Look[Sequence[Verdict]] | None = last_look.last(_key())
    if kept is None:
        return []
    well = sum(verdict.passes for verdict in kept.found)
    return [f"{well} of {len(kept.found)} keep their promise, asked at {kept.at:%Y-%m-%d %H:%M} UTC"]


def _key() -> str:
    return f"pam.verdicts.{database()}"


def _ask() -> Sequence[Verdict]:
    require_tables(database())
    until = monotonic() + ALL_SECONDS
    return verdicts_on(database(), QUERIES, analyze=True, timeout_ms=EACH_MS, until=until)
