"""Calendar months, whatever the clock's zone and hour."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest

from pam.postgres.months import Month, months

pytestmark = pytest.mark.once

FAR_EAST = timezone(timedelta(hours=14))


@pytest.mark.parametrize(
    ("time", "month"),
    [
        (datetime(2026, 1, 30, 13, 37, 11, tzinfo=UTC), Month(2026, 1)),
        (datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=FAR_EAST), Month(2026, 12)),
        (datetime(2027, 1, 1, 13, 59, 59, 999999, tzinfo=FAR_EAST), Month(2026, 12)),
        (datetime(2027, 1, 1, 14, tzinfo=FAR_EAST), Month(2027, 1)),
        (datetime(2026, 12, 31, 13, tzinfo=timezone(timedelta(hours=-12))), Month(2027, 1)),
    ],
)
def test_the_month_of_a_time_is_that_of_utc(time, month):
    assert Month.of(time) == month
    assert month.start <= time < month.end


def test_months_follow_each_other_without_gap_or_overlap():
    for earlier, later in pairwise(months(Month(2023, 11), Month(2028, 3))):
        assert earlier.end == later.start
        assert earlier.plus(1) == later
        assert later.plus(-1) == earlier
    assert list(months(Month(2026, 2), Month(2026, 1))) == []


def test_a_suffix_sorts_as_its_month():
    assert Month(987, 1).suffix == "0987_01"
    assert Month(2026, 10).suffix == "2026_10"
