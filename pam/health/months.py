"""Has a table of months all the months it needs, and is nothing where it should not be?"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.template.defaultfilters import filesizeformat
from psqlextra.partitioning.constants import AUTO_PARTITIONED_COMMENT

from pam.health.finding import Finding, Severity
from pam.partitions.plan import holes, months_ahead
from pam.postgres.catalog import quoted
from pam.postgres.monthly_catalog import Partition
from pam.postgres.months import Month

FEWEST_AHEAD = 2
AHEAD = {-1: "no month for today", 0: "no month ahead", 1: "only one month ahead"}


@dataclass(frozen=True)
class MonthlyFacts:
    """A table that is monthly, or is to be. `alias`: of the database, for the commands that are advised."""

    alias: str
    table: str
    is_partitioned: bool
    is_converting: bool
    partitions: tuple[Partition, ...]
    rows_in_default: int


def judge_months(facts: MonthlyFacts, now: datetime) -> list[Finding]:
    """The findings on one table; the months ahead are counted from the clock that is passed in."""
    findings = list(_converting(facts))
    if facts.is_partitioned:
        findings += [*_ahead(facts, now), *_gaps(facts), *_default(facts), *_strangers(facts)]
    return findings


def present(facts: MonthlyFacts) -> set[Month]:
    """The months that take rows."""
    return {one.month for one in facts.partitions if one.month and not one.is_pending}


def told(table: MonthlyFacts, now: datetime) -> str:
    """One line about a table."""
    form = "partitioned" if table.is_partitioned else "plain"
    if not table.is_partitioned:
        return f"{table.table}: {form}"
    months = present(table)
    size = filesizeformat(sum(one.bytes for one in table.partitions))
    return (
        f"{table.table}: {form}, {len(months)} months, {months_ahead(months, now)} ahead, {size}, "
        f"{table.rows_in_default:,} rows in the default partition"
    )


def _converting(facts: MonthlyFacts) -> Iterator[Finding]:
    if facts.is_converting:
        yield Finding(
            "conversion-unfinished",
            Severity.WARNING,
            facts.table,
            "a conversion has begun and not ended; each change of the table is logged for it",
            f"See how far it is: python manage.py pam_partitions status --database {facts.alias}. Let migrate end it, "
            f"or take it away: python manage.py pam_partitions abandon --database {facts.alias}",
        )


def _ahead(facts: MonthlyFacts, now: datetime) -> Iterator[Finding]:
    ahead = months_ahead(present(facts), now)
    if ahead < FEWEST_AHEAD:
        yield Finding(
            "months-ahead-few",
            Severity.ERROR if ahead < 0 else Severity.WARNING,
            facts.table,
            f"it has {AHEAD[ahead]}",
            f"Make more, best every day: python manage.py pgpartition --yes --using {facts.alias}",
        )


def _gaps(facts: MonthlyFacts) -> Iterator[Finding]:
    for month in holes(present(facts)):
        yield Finding(
            "month-missing",
            Severity.ERROR,
            f"{facts.table}.{month.suffix}",
            "there are months before and after it; its rows go to the default partition, which has "
            f"{facts.rows_in_default:,}",
            f"python manage.py pam_partitions drain --database {facts.alias}, then "
            f"python manage.py pgpartition --yes --using {facts.alias}",
        )


def _default(facts: MonthlyFacts) -> Iterator[Finding]:
    if not any(one.is_default for one in facts.partitions):
        yield Finding(
            "default-missing",
            Severity.ERROR,
            facts.table,
            f"it has no default partition, so that a row of a month other than its {len(present(facts))} is refused",
            f"CREATE TABLE {facts.table}_default PARTITION OF {facts.table} DEFAULT",
        )
    if facts.rows_in_default:
        yield Finding(
            "default-rows",
            Severity.WARNING,
            facts.table,
            f"it has {facts.rows_in_default:,} rows in its default partition",
            f"Move them to their months: python manage.py pam_partitions drain --database {facts.alias}",
        )


def _strangers(facts: MonthlyFacts) -> Iterator[Finding]:
    for one in facts.partitions:
        if one.is_pending:
            yield Finding(
                "detach-pending",
                Severity.WARNING,
                str(one.relation),
                f"its detachment from {facts.table} was begun and not ended",
                f"python manage.py pgpartition --yes --using {facts.alias}",
            )
        elif not one.is_default and one.month is None:
            yield Finding(
                "bound-odd",
                Severity.ERROR,
                str(one.relation),
                f"its bound is not a calendar month of UTC: {one.bound}",
                f"Detach it, move its rows to their months by INSERT, and drop it: ALTER TABLE {facts.table} DETACH "
                f"PARTITION {quoted(one.relation.schema, one.relation.name)} CONCURRENTLY",
            )
        elif not one.is_default and not one.is_ours:
            yield Finding(
                "month-not-ours",
                Severity.WARNING,
                str(one.relation),
                f"it does not bear the mark of the months that are made here (its comment: {one.comment!r}), so that "
                "retention leaves it alone",
                f"COMMENT ON TABLE {quoted(one.relation.schema, one.relation.name)} IS '{AUTO_PARTITIONED_COMMENT}'",
            )
