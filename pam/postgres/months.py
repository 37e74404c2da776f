"""Calendar months in UTC, half-open `[start, end)`, and the names of their partitions. Pure: the clock is passed in."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self


@dataclass(frozen=True, order=True)
class Month:
    """One month of UTC."""

    year: int
    month: int

    @classmethod
    def of(cls, time: datetime) -> Self:
        """The month in which an aware `time` lies, whatever its own time zone."""
        if time.tzinfo is None:
            raise ValueError(f"A month needs an aware time; {time.isoformat()} has no time zone.")
        utc = time.astimezone(UTC)
        return cls(utc.year, utc.month)

    @property
    def start(self) -> datetime:
        return datetime(self.year, self.month, 1, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """The first moment that is no longer in it."""
        return self.plus(1).start

    def plus(self, months: int) -> "Month":
        """The month so many months later; earlier when negative."""
        year, zero_based = divmod(self.year * 12 + self.month - 1 + months, 12)
        return Month(year, zero_based + 1)

    @property
    def suffix(self) -> str:
        """What its partition's name ends in, after the table's name and an underscore; the same in every locale."""
        return f"{self.year:04}_{self.month:02}"


def months(first: Month, last: Month) -> Iterator[Month]:
    """All months from `first` to `last`, both included."""
    while first <= last:
        yield first
        first = first.plus(1)
