"""What a table is to get and to give away, from a clock and the months that are there."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from pam.partitions.plan import Change, Rule, change, months_ahead
from pam.postgres.months import Month, months
from tests.support.monthly import NOW

pytestmark = pytest.mark.once

YEARS_END = datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=timezone(timedelta(hours=14)))


def test_the_month_of_now_and_those_ahead():
    assert change(Rule(premake=2), [], NOW).create == (Month(2026, 1), Month(2026, 2), Month(2026, 3))
    assert change(Rule(premake=1), [], YEARS_END).create == (Month(2026, 12), Month(2027, 1))


def test_what_is_there_is_not_made_again():
    assert change(Rule(premake=2), [Month(2026, 2)], NOW).create == (Month(2026, 1), Month(2026, 3))
    assert change(Rule(2), list(months(Month(2026, 1), Month(2026, 3))), NOW) == Change((), ())


def test_nothing_is_retired_without_a_retention():
    assert change(Rule(premake=1), [Month(1970, 1)], NOW).retire == ()


def test_retirement_goes_on_past_a_gap():
    present = [Month(2025, 11), Month(2025, 9), Month(2019, 1), Month(1970, 1), Month(2026, 1)]
    assert change(Rule(premake=1, retention=2), present, NOW).retire == (
        Month(1970, 1),
        Month(2019, 1),
        Month(2025, 9),
    )


def test_months_ahead_end_at_a_gap():
    assert months_ahead([], NOW) == -1
    assert months_ahead([Month(2026, 1)], NOW) == 0
    assert months_ahead([Month(2026, 1), Month(2026, 2), Month(2026, 4)], NOW) == 1
    assert months_ahead([Month(2027, 1)], YEARS_END.astimezone(UTC)) == -1


@pytest.mark.parametrize("rule", [(0, None), (1, 0)])
def test_a_rule_that_makes_no_sense(rule):
    with pytest.raises(ValueError, match="from 1 on"):
        Rule(*rule)
