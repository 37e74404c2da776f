"""Months that are out of the pattern, of made-up tables; on the server: `test_pam_sizes`."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from pam.health.odd_months import odd_months
from pam.postgres.catalog import Relation
from pam.postgres.months import Month
from pam.postgres.sizes import PartitionSize, Size, TableSize

pytestmark = pytest.mark.once

NOW = datetime(2026, 11, 25, 13, 37, 11, tzinfo=UTC)
MB = 1 << 20


def table(megabytes: Sequence[float], rows: Sequence[int | None] | None = None) -> TableSize:
    """Months up to that of NOW, the last of which is the current one."""
    rows = rows or [round(size * 1000) for size in megabytes]
    months = [Month.of(NOW).plus(place + 1 - len(megabytes)) for place in range(len(megabytes))]
    parts = tuple(
        PartitionSize(Relation(place, "public", f"log_{month.suffix}", "r"), month, Size(round(size * MB), 0, 0, count))
        for place, (month, size, count) in enumerate(zip(months, megabytes, rows, strict=True))
    )
    return TableSize(Relation(99, "public", "log", "p"), Size(), "at", parts)


def odd(megabytes: Sequence[float], rows: Sequence[int | None] | None = None) -> list[str]:
    return [one.subject for one in odd_months(table(megabytes, rows), NOW)]


def test_a_month_of_three_times_the_size_is_found_by_name():
    (found,) = odd_months(table([100, 104, 98, 101, 99, 310, 103, 97, 50]), NOW)
    assert (found.id, found.subject) == ("month-out-of-pattern", "public.log_2026_08")
    assert "310.0\xa0MB, 3.1 times the usual 100.5\xa0MB; rows: about 310,000, 3.1 times" in found.evidence
    assert found.cure == (
        'SELECT date_trunc(\'day\', "at") AS day, count(*) FROM "public"."log_2026_08" GROUP BY day ORDER BY day'
    )


def test_a_month_that_lacks_most_is_found_too():
    assert odd([100, 104, 98, 101, 99, 20, 103, 97, 50]) == ["public.log_2026_08"]


def test_even_months_are_none():
    assert odd([100] * 12) == []
    chance = random.Random(3)  # noqa: S311
    for _ in range(200):
        assert odd([chance.gauss(100, 8) for _ in range(36)]) == []


def test_the_current_month_is_not_complete():
    assert odd([100] * 11 + [1]) == []
    assert odd([100] * 11 + [900]) == []


def test_the_oldest_month_may_have_begun_in_its_middle_but_not_be_large():
    assert odd([20] + [100] * 10) == []
    assert odd([500] + [100] * 10) == ["public.log_2026_01"]


def test_a_table_that_grows_over_the_years_keeps_its_pattern():
    assert odd([10 * 1.05**month for month in range(84)]) == []
    sizes = [10 * 1.05**month for month in range(84)]
    sizes[40] *= 3
    assert len(odd(sizes)) == 1


def test_four_closed_months_make_no_pattern():
    assert odd([100, 100, 900, 100, 50]) == []
    assert odd([100, 100, 900, 100, 100, 50]) == ["public.log_2026_08"]


def test_what_is_too_small_to_be_noticed_is_none():
    assert odd([0.1, 0.1, 0.1, 0.5, 0.1, 0.1, 0.1]) == []


def test_a_month_where_there_usually_is_none():
    (found,) = odd_months(table([0, 0, 0, 40, 0, 0, 0, 0]), NOW)
    assert "40.0\xa0MB, instead of the usual 0\xa0bytes" in found.evidence


def test_rows_alone_can_be_odd():
    rows = [1000, 1000, 1000, 9000, 1000, 1000, 1000]
    assert odd([100] * 7, rows) == ["public.log_2026_08"]


def test_bytes_without_rows_are_empty_space():
    (found,) = odd_months(table([100, 100, 100, 300, 100, 100, 100], [1000] * 7), NOW)
    assert found.cure == 'VACUUM (VERBOSE) "public"."log_2026_08"'


def test_rows_that_were_never_counted_are_not_compared():
    (found,) = odd_months(table([100, 100, 100, 300, 100, 100, 100], [5, None, 5, 5, 5, 5, 5]), NOW)
    assert "rows were never counted" in found.evidence
