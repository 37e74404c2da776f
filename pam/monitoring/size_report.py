"""All that sizes tell of one database: gathered, and judged."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import DEFAULT_DB_ALIAS, Error, connections
from django.template.defaultfilters import filesizeformat

from pam.health.finding import Finding
from pam.health.growth import Limit, Point, Trend, forecast, limit_findings, rate, recent, span, trend
from pam.health.odd_months import odd_months
from pam.monitoring.size_history import DATABASE, history, now_points
from pam.postgres.disk import free
from pam.postgres.errors import INSUFFICIENT_PRIVILEGE, TableMissing, sqlstate
from pam.postgres.sizes import Sizes


@dataclass(frozen=True)
class SizeReport:
    """Sizes as of `now`, the curves to there (the whole database first, under DATABASE), and what they mean.

    `unknown` is what could not be told, each a sentence with the next command; `remarks` need nothing to be done.
    """

    now: datetime
    measured: Sizes
    curves: Mapping[str, Sequence[Point]]
    trends: Mapping[str, Trend | None]
    limits: Sequence[Limit]
    findings: Sequence[Finding]
    unknown: Sequence[str]
    remarks: Sequence[str]

    @property
    def growth(self) -> Trend | None:
        """That of the whole database."""
        return self.trends[DATABASE]

    @property
    def ceilings(self) -> dict[str, int]:
        """The bytes of the database at which each limit is reached, by name."""
        return {limit.name: self.measured.bytes + limit.left for limit in self.limits}


def report(alias: str, measured: Sizes, now: datetime, budget: int | None) -> SizeReport:
    """Judge what was measured, with the snapshots that were kept. `budget` in bytes, of the whole database.

    Lock: ACCESS SHARE on the table of snapshots.
    """
    at = "" if alias == DEFAULT_DB_ALIAS else f" --database {alias}"
    unknown, remarks = [], []
    if not measured.tables:
        unknown.append(f"No table of menshun is seen in this session's search_path: python manage.py migrate{at}")
    elif measured.missing:
        remarks.append(f"Not there: {', '.join(measured.missing)}. See: python manage.py showmigrations pam{at}")
    kept: dict[str, list[Point]] = {}
    try:
        kept = history(alias)
    except TableMissing:
        unknown.append(f"Growth: no snapshots can be kept here yet: python manage.py migrate{at}")
    except Error as error:
        if sqlstate(error) != INSUFFICIENT_PRIVILEGE:
            raise
        unknown.append("Growth: this role may not read the snapshots: GRANT SELECT ON size_snapshots TO CURRENT_USER")
    current = now_points(measured, now)
    trends = {name: trend(kept.get(name, []), point.kind, now) for name, point in current.items()}
    growth = trends[DATABASE]
    if growth is None and not unknown:
        unknown.append(_too_few(recent(kept.get(DATABASE, []), DATABASE, now), at))
    limits = [] if budget is None else [Limit("budget", budget - measured.bytes)]
    disk = free(connections[alias])
    if disk is None:
        remarks.append(
            "The disk of the server is not seen from here: another machine, or a role without pg_read_all_settings."
        )
    else:
        limits.append(Limit("disk", disk))
    findings = limit_findings(measured.database, limits, growth, now, f"python manage.py pam_partitions status{at}")
    findings += [finding for table in measured.tables for finding in odd_months(table, now)]
    return SizeReport(now, measured, _curves(kept, current), trends, limits, findings, unknown, remarks)


def growth_told(growth: Trend) -> str:
    """The growth of the database, for a person."""
    sure = "" if growth.is_sure else "; it may be none at all"
    return f"grows by {rate(growth)}, by {growth.snapshots} snapshots since {growth.since:%Y-%m-%d}{sure}"


def rate_told(growth: Trend | None) -> str:
    """Growth a day, and how far off it may be, at 95 %; "?" if nobody knows."""
    if growth is None:
        return "?"
    return f"{filesizeformat(growth.per_day)} ± {filesizeformat(growth.high - growth.per_day)}"


def limits_told(found: SizeReport) -> Iterator[str]:
    """Each limit: what is left of it, and when it is reached."""
    for limit in found.limits:
        over = f"{filesizeformat(-limit.left)} over" if limit.left < 0 else f"{filesizeformat(limit.left)} left"
        growth = found.growth
        full = f"; full on {span(forecast(limit, growth, found.now))}" if growth and limit.left >= 0 else ""
        yield f"{limit.name}: {over}{full}"


def _curves(kept: Mapping[str, Sequence[Point]], current: Mapping[str, Point]) -> dict[str, list[Point]]:
    """What was kept, and what was measured now if that was not kept; the database first."""
    names = sorted(current, key=lambda name: (name != DATABASE, name))
    return {
        name: [*(point for point in kept.get(name, ()) if point.taken_at < current[name].taken_at), current[name]]
        for name in names
    }


def _too_few(points: Sequence[Point], at: str) -> str:
    over = points[-1].taken_at - points[0].taken_at if points else None
    days = f" over {over.total_seconds() / 86400:.1f} days" if over else ""
    return (
        f"Growth cannot be told yet: it takes 3 snapshots over 2 days, and there are {len(points)}{days}. "
        f"Let this run every day: python manage.py pam_sizes --snapshot{at}"
    )
