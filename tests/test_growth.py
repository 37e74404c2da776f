"""Growth of made-up days: the slope, how sure it is, and when something is full."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from pam.health.finding import Severity
from pam.health.growth import Limit, Point, Trend, forecast, limit_findings, student_t, trend

pytestmark = pytest.mark.once

NOW = datetime(2026, 11, 25, 13, 37, 11, tzinfo=UTC)
DAY = timedelta(days=1)
MB = 1 << 20


def points(sizes: Sequence[float], kind: str = "database", end: datetime = NOW) -> list[Point]:
    """One a day, the last at `end`."""
    return [Point(end - (len(sizes) - 1 - day) * DAY, kind, round(size)) for day, size in enumerate(sizes)]


def grown(sizes: Sequence[float]) -> Trend:
    found = trend(points(sizes), "database", NOW)
    assert found is not None
    return found


def test_the_slope_is_that_of_least_squares():
    chance = random.Random(5)  # noqa: S311
    sizes = [round(100 * MB + day * 3 * MB + chance.gauss(0, MB)) for day in range(20)]
    # By the sums of the textbook, in exact numbers.
    n, days = len(sizes), range(len(sizes))
    sxx = n * sum(day * day for day in days) - sum(days) ** 2
    sxy = n * sum(day * size for day, size in zip(days, sizes, strict=True)) - sum(days) * sum(sizes)
    slope = sxy / sxx
    begin = (sum(sizes) - slope * sum(days)) / n
    off = sum((size - begin - slope * day) ** 2 for day, size in zip(days, sizes, strict=True))
    error = (off / (n - 2) / (sxx / n)) ** 0.5
    found = grown(sizes)
    assert found.per_day == pytest.approx(slope)
    assert found.standard_error == pytest.approx(error, rel=1e-6)
    # t of 18 degrees of freedom, by the tables: 2.1009.
    assert found.high - found.per_day == pytest.approx(2.1009 * error, rel=1e-3)
    assert found.end == pytest.approx(begin + slope * 19)
    assert (found.snapshots, found.since, found.until) == (20, NOW - 19 * DAY, NOW)


@pytest.mark.parametrize(
    ("freedom", "t"), [(1, 12.706), (2, 4.303), (4, 2.776), (5, 2.571), (10, 2.228), (30, 2.042), (1000, 1.962)]
)
def test_the_quantiles_are_those_of_the_tables(freedom, t):
    assert student_t(freedom) == pytest.approx(t, rel=2e-3)


def test_the_true_rate_is_within_the_interval_as_often_as_it_says():
    chance = random.Random(7)  # noqa: S311
    hits = 0
    for _ in range(1000):
        found = grown([100 * MB + day * MB + chance.gauss(0, 2 * MB) for day in range(8)])
        hits += found.low <= MB <= found.high
    assert 930 <= hits <= 970


def test_noise_widens_the_interval_and_days_narrow_it():
    def width(days: int, noise: float) -> float:
        chance = random.Random(3)  # noqa: S311
        found = grown([100 * MB + day * MB + chance.gauss(0, noise) for day in range(days)])
        return found.high - found.low

    assert width(10, 0) < 1
    assert width(10, MB) < width(10, 4 * MB)
    assert width(40, MB) < width(10, MB)


@pytest.mark.parametrize("days", [0, 1, 2])
def test_fewer_than_three_snapshots_tell_nothing(days):
    assert trend(points([MB] * days), "database", NOW) is None


def test_three_snapshots_of_less_than_two_days_tell_nothing():
    close = [Point(NOW - hours * timedelta(hours=1), "database", MB) for hours in (47, 20, 0)]
    assert trend(close, "database", NOW) is None
    assert trend([*close, Point(NOW - 2 * DAY, "database", MB)], "database", NOW) is not None


def test_what_is_older_than_the_window_or_in_the_future_does_not_count():
    old = points([1000 * MB] * 10, end=NOW - 90 * DAY)
    ahead = points([5000 * MB], end=NOW + DAY)
    now = points([100 * MB, 101 * MB, 102 * MB])
    assert trend([*old, *now, *ahead], "database", NOW) == trend(now, "database", NOW)


def test_growth_is_told_since_a_table_is_of_its_present_kind():
    plain = points([900 * MB] * 10, "table", NOW - 5 * DAY)
    months = points([100 * MB, 101 * MB, 102 * MB, 103 * MB], "partitioned table")
    found = trend([*plain, *months], "partitioned table", NOW)
    assert found is not None
    assert found.per_day == pytest.approx(MB)
    assert trend([*plain, *months], "table", NOW) is None, "it was just turned back"


def test_a_limit_is_reached_at_the_rate_and_within_the_rates_of_the_interval():
    found = Trend(2 * MB, MB / 2, MB, 4 * MB, 9, NOW - 8 * DAY, NOW, 100 * MB)
    when = forecast(Limit("disk", 40 * MB), found, NOW)
    assert (when.earliest, when.at, when.latest) == (NOW + 10 * DAY, NOW + 20 * DAY, NOW + 40 * DAY)


@pytest.mark.parametrize("sizes", [[300 * MB - day * MB for day in range(9)], [300 * MB] * 9])
def test_what_does_not_grow_fills_nothing(sizes):
    found = grown(sizes)
    when = forecast(Limit("disk", 1), found, NOW)
    assert (when.at, when.latest) == (None, None)
    assert limit_findings("pam", [Limit("disk", 1), Limit("budget", 1)], found, NOW, "cure") == []


def test_hardly_any_growth_has_no_date():
    assert forecast(Limit("disk", 1 << 60), grown([MB, MB + 1, MB + 2]), NOW).at is None


@pytest.mark.parametrize(
    ("left", "severity"), [(3 * MB, Severity.ERROR), (20 * MB, Severity.WARNING), (31 * MB, None)], ids=str
)
@pytest.mark.parametrize("name", ["disk", "budget"])
def test_what_is_full_soon_is_a_finding(name, left, severity):
    found = limit_findings("pam", [Limit(name, left)], grown([day * MB for day in range(9)]), NOW, "cure")
    ids = {"disk": "disk-full-soon", "budget": "budget-exceeded-soon"}
    assert [(one.id, one.severity) for one in found] == ([(ids[name], severity)] if severity else [])


def test_growth_that_may_be_chance_is_no_error():
    noisy = grown([100 * MB, 90 * MB, 104 * MB])
    assert not noisy.is_sure
    (found,) = limit_findings("pam", [Limit("disk", 3 * MB)], noisy, NOW, "cure")
    assert found.severity is Severity.WARNING
    assert "from 2026-11-25 on" in found.evidence


def test_a_budget_that_is_exceeded_needs_no_growth():
    (found,) = limit_findings("pam", [Limit("budget", -5 * MB)], None, NOW, "cure")
    assert (found.id, found.severity) == ("budget-exceeded", Severity.ERROR)
    assert "5.0\xa0MB over" in found.evidence
