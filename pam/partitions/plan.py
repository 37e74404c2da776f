"""Which months a table is to get and to give away. Pure: the months that are there and the clock are passed in."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from pam.postgres.months import Month, months

LONGEST_HOLE = 12


@dataclass(frozen=True)
class Rule:
    """Months made ahead of the clock's, and how many before it are kept; None keeps all."""

    premake: int
    retention: int | None = None

    def __post_init__(self) -> None:
        if self.premake < 1 or (self.retention is not None and self.retention < 1):
            raise ValueError(f"A rule counts months from 1 on: {self}")


@dataclass(frozen=True)
class Change:
    """What is to be done, each in the order of time."""

    create: tuple[Month, ...]
    retire: tuple[Month, ...]


def wanted(rule: Rule, now: datetime) -> list[Month]:
    """The month of `now` and those ahead."""
    first = Month.of(now)
    return list(months(first, first.plus(rule.premake)))


def change(rule: Rule, present: Collection[Month], now: datetime) -> Change:
    """What lacks of `wanted` and between the months that are there, and what is older than the retention."""
    ahead = wanted(rule, now)
    oldest_kept = Month.of(now).plus(-rule.retention) if rule.retention else None
    kept = {month for month in present if oldest_kept is None or month >= oldest_kept}
    create = {*ahead, *holes({*kept, *ahead})} - set(present)
    return Change(tuple(sorted(create)), tuple(sorted(set(present) - kept)))


def holes(present: Collection[Month]) -> list[Month]:
    """The months that lack between others less than a year apart.

    A longer way lies before a month that was made for stray rows, of 1970 or 2099, and nothing is missing there.
    """
    found = []
    for month, following in pairwise(sorted(present)):
        between = list(months(month, following))[1:-1]
        found += between if len(between) < LONGEST_HOLE else []
    return found


def months_ahead(present: Collection[Month], now: datetime) -> int:
    """How many months after that of `now` are there without a gap; -1 if that of `now` is missing."""
    month, count = Month.of(now), -1
    while month in present:
        month, count = month.plus(1), count + 1
    return count
