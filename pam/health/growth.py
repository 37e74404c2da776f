"""How fast something grows, how sure that is, and when a disk or a budget is full. Pure: sizes in, findings out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import sqrt
from statistics import NormalDist, linear_regression

from django.template.defaultfilters import filesizeformat

from pam.health.finding import Finding, Severity

DAY = timedelta(days=1)
# What was longer ago says little of how fast it grows now.
WINDOW = timedelta(days=90)
FEWEST_SNAPSHOTS, SHORTEST_TIME = 3, timedelta(days=2)
# Time enough to get a larger disk; and no longer.
SOON, NOW = timedelta(days=30), timedelta(days=7)
# What is further ahead is not worth a date.
FAR = timedelta(days=3_652)

# Student's t at 0.975, by degrees of freedom; from the fifth on its expansion is right to a thousandth
# (Abramowitz and Stegun, Handbook of Mathematical Functions, table 26.10 and 26.7.5).
T_FEW = (12.7062, 4.3027, 3.1824, 2.7764)


@dataclass(frozen=True)
class Point:
    """A size that was measured, in bytes. `kind` is what was measured: "table", "partitioned table", ..."""

    taken_at: datetime
    kind: str
    bytes: int


@dataclass(frozen=True)
class Trend:
    """Bytes a day, and the interval in which they are with a confidence of 95 %; `end` is the line at `until`."""

    per_day: float
    standard_error: float
    low: float
    high: float
    snapshots: int
    since: datetime
    until: datetime
    end: float

    @property
    def is_sure(self) -> bool:
        """Whether it is more than noise that there is growth, or shrinking, at all."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Limit:
    """Something that can be full: the "disk" or the "budget", and the bytes that are left; below 0 it is exceeded."""

    name: str
    left: int


@dataclass(frozen=True)
class Forecast:
    """When a limit is reached, and the interval of 95 %; None: not within ten years, or never."""

    at: datetime | None
    earliest: datetime | None
    latest: datetime | None


def recent(points: Sequence[Point], kind: str, now: datetime) -> list[Point]:
    """What tells how fast it grows now: the last 90 days, since it is of its present kind, in the order of time.

    A conversion makes a table anew, without what had become empty in it: that is no growth.
    """
    there = sorted((one for one in points if now - WINDOW < one.taken_at <= now), key=lambda one: one.taken_at)
    others = [place for place, one in enumerate(there) if one.kind != kind]
    return there[others[-1] + 1 :] if others else there


def trend(points: Sequence[Point], kind: str, now: datetime) -> Trend | None:
    """The line of least squares through the recent points; None if they are fewer than 3, or less than 2 days apart.

    The interval takes it that each point is off the line by chance and on its own. Sizes grow in steps, so it is a
    guide, and no guarantee.
    """
    there = recent(points, kind, now)
    if len(there) < FEWEST_SNAPSHOTS or there[-1].taken_at - there[0].taken_at < SHORTEST_TIME:
        return None
    since, until = there[0].taken_at, there[-1].taken_at
    days = [(one.taken_at - since) / DAY for one in there]
    sizes = [float(one.bytes) for one in there]
    per_day, begin = linear_regression(days, sizes)
    freedom = len(there) - 2
    off = sum((size - begin - per_day * day) ** 2 for day, size in zip(days, sizes, strict=True))
    mean = sum(days) / len(days)
    error = sqrt(off / freedom / sum((day - mean) ** 2 for day in days))
    reach = student_t(freedom) * error
    end = begin + per_day * days[-1]
    return Trend(per_day, error, per_day - reach, per_day + reach, len(there), since, until, end)


def student_t(freedom: int) -> float:
    """The quantile of Student's t for an interval of 95 %, by degrees of freedom from 1 on."""
    if freedom <= len(T_FEW):
        return T_FEW[freedom - 1]
    z = NormalDist().inv_cdf(0.975)
    return (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )


def forecast(limit: Limit, growth: Trend, now: datetime) -> Forecast:
    """When a limit is reached from now on; what does not grow reaches none."""

    def reached(per_day: float) -> datetime | None:
        if limit.left <= 0:
            return now
        days = limit.left / per_day if per_day > 0 else FAR / DAY
        return now + days * DAY if days < FAR / DAY else None

    return Forecast(reached(growth.per_day), reached(growth.high), reached(growth.low))


def limit_findings(
    database: str, limits: Sequence[Limit], growth: Trend | None, now: datetime, cure: str
) -> list[Finding]:
    """budget-exceeded, budget-exceeded-soon, disk-full-soon. `cure` is the command that shows what could go."""
    found = []
    for limit in limits:
        if limit.name == "budget" and limit.left < 0:
            over = f"It is {filesizeformat(-limit.left)} over its budget."
            found.append(Finding("budget-exceeded", Severity.ERROR, database, over, cure))
            continue
        when = forecast(limit, growth, now) if growth else None
        if growth is None or when is None or when.at is None or when.at - now > SOON:
            continue
        # That it grows at all may be chance: then nothing is broken yet.
        is_urgent = growth.is_sure and when.at - now <= NOW
        found.append(
            Finding(
                "budget-exceeded-soon" if limit.name == "budget" else "disk-full-soon",
                Severity.ERROR if is_urgent else Severity.WARNING,
                database,
                f"{filesizeformat(limit.left)} are left, and it grows by {rate(growth)}: full on {span(when)}.",
                cure,
            )
        )
    return found


def rate(growth: Trend) -> str:
    """Growth for people: the rate, and the interval."""
    low, mean, high = (f"{filesizeformat(value)}" for value in (growth.low, growth.per_day, growth.high))
    return f"{mean} a day (95 %: {low} to {high})"


def span(when: Forecast) -> str:
    """A forecast for people, by days of UTC."""
    if when.at is None:
        return "no day of the next ten years"
    around = f"to {when.latest:%Y-%m-%d}" if when.latest else "on"
    return f"{when.at:%Y-%m-%d} (95 %: from {when.earliest:%Y-%m-%d} {around})"
