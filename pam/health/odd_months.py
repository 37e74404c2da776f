"""Which month of a partitioned table is out of the pattern of the others. Pure: sizes in, findings out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from django.template.defaultfilters import filesizeformat

from pam.health.finding import Finding, Severity
from pam.postgres.catalog import Relation
from pam.postgres.sizes import PartitionSize, TableSize

# Fewer months make no pattern; what is usual for a month, those around it say, since a table may grow over the years.
FEWEST, AROUND = 5, 6
# Iglewicz and Hoaglin, How to Detect and Handle Outliers (1993): 3.5 times what the median deviation stands for.
MOST_DEVIATIONS, DEVIATION = 3.5, 1.4826
# Months that are all but equal make a deviation of next to nothing; what nobody would notice is no finding.
LEAST_FACTOR, LEAST_BYTES, LEAST_ROWS = 1.5, 1 << 20, 1_000


@dataclass(frozen=True)
class Compared:
    """What a month has of something, what is usual around it, and whether that is out of the pattern."""

    value: float
    usual: float
    is_odd: bool

    @property
    def is_more(self) -> bool:
        return self.value > self.usual

    def told(self, shown: Callable[[float], str]) -> str:
        factor = f"{self.value / self.usual:.1f} times" if self.usual else "instead of"
        return f"{shown(self.value)}, {factor} the usual {shown(self.usual)}"


def odd_months(table: TableSize, now: datetime) -> list[Finding]:
    """month-out-of-pattern: closed months that have far more, or far less, bytes or rows than those around them.

    The month of `now` is not complete and left out. The oldest may have begun in its middle: that it is small says
    nothing. Rows are compared where all are known.
    """
    closed = [one for one in table.partitions if one.month and one.month.end <= now]
    closed.sort(key=lambda one: one.month.start if one.month else now)
    if len(closed) < FEWEST or table.key is None:
        return []
    by_bytes = compare([one.size.total for one in closed], LEAST_BYTES)
    counted = [one.size.rows for one in closed if one.size.rows is not None]
    by_rows: Sequence[Compared | None] = [None] * len(closed)
    if len(counted) == len(closed):
        by_rows = compare(counted, LEAST_ROWS)
    found = []
    for place, (month, size, rows) in enumerate(zip(closed, by_bytes, by_rows, strict=True)):
        odd = [one for one in (size, rows) if one and one.is_odd and (one.is_more or place > 0)]
        if odd:
            found.append(_finding(table.key, month, size, rows))
    return found


def compare(values: Sequence[float], least: float) -> list[Compared]:
    """Each value against the median of those up to six before and after it, by the median of all deviations.

    Deviations are relative, so that the months of a table that has grown count no more than those before.
    """
    usual = [median(values[max(0, place - AROUND) : place + AROUND + 1]) for place in range(len(values))]
    pairs = list(zip(values, usual, strict=True))
    deviations = [abs(value - middle) / middle for value, middle in pairs if middle]
    most = MOST_DEVIATIONS * DEVIATION * (median(deviations) if deviations else 0)

    def is_odd(value: float, middle: float) -> bool:
        off, (low, high) = abs(value - middle), sorted((value, middle))
        return off >= least and high >= LEAST_FACTOR * low and off > most * middle

    return [Compared(value, middle, is_odd(value, middle)) for value, middle in pairs]


def _finding(key: str, month: PartitionSize, size: Compared, rows: Compared | None) -> Finding:
    evidence = size.told(lambda value: str(filesizeformat(value)))
    evidence += f"; rows: about {rows.told(lambda value: f'{value:,.0f}')}" if rows else "; rows were never counted"
    if rows and not rows.is_odd and size.is_more:
        # Its rows are as many as ever: what is large is the space between them.
        cure = f"VACUUM (VERBOSE) {_quoted(month.relation)}"
    else:
        cure = (
            f"SELECT date_trunc('day', {_quote(key)}) AS day, count(*) FROM {_quoted(month.relation)}"  # noqa: S608
            " GROUP BY day ORDER BY day"  # which is printed, and run by nobody but a person
        )
    return Finding("month-out-of-pattern", Severity.WARNING, str(month.relation), f"{evidence}.", cure)


def _quoted(relation: Relation) -> str:
    return f"{_quote(relation.schema)}.{_quote(relation.name)}"


def _quote(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
