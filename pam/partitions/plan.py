"""Which months a table is to get and to give away. Pure: the months that are there and the clock are passed in."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from pam.postgres.months import Month, months


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
    """What lacks of `wanted`, and what is older than the retention: gaps between the months end neither search."""
    create = tuple(month for month in wanted(rule, now) if month not in present)
    if rule.retention is None:
        return Change(create, ())
    oldest_kept = Month.of(now).plus(-rule.retention)
    return Change(create, tuple(sorted(month for month in present if month < oldest_kept)))


def months_ahead(present: Collection[Month], now: datetime) -> int:
    """How many months after that of `now` are there without a gap; -1 if that of `now` is missing."""
    month, count = Month.of(now), -1
    while month in present:
        month, count = month.plus(1), count + 1
    return count
