"""Verdicts: a named query's facts against what it promises. No look at the database."""

from dataclasses import dataclass

from pam.explain.plans import Facts
from pam.explain.query import Query

# Pages that are read faster in one go than by way of an index: half a megabyte.
SMALL = 64
# Off by more than this, and by some rows at least, the planner is guessing.
WORST_ESTIMATE, FEW_ROWS = 10, 100


@dataclass(frozen=True)
class Verdict:
    """Whether a query keeps its promises; `findings` says what it does not keep, `remarks` what is worth knowing."""

    name: str
    findings: tuple[str, ...]
    remarks: tuple[str, ...]
    bound: int | None
    facts: Facts | None

    @property
    def passes(self) -> bool:
        return not self.findings


def judge(query: Query, facts: Facts, there: set[str]) -> Verdict:
    """The verdict on a query; `there` are the names of the indexes that the database has."""
    remarks: list[str] = []
    findings = [*_index(query, facts, there, remarks), *_partitions(query, facts), *_estimate(facts)]
    bound = None
    if facts.actual_rows is not None and facts.buffers is not None:
        # A table that is read whole because it is small costs its pages.
        bound = round(
            query.per_partition * facts.partitions + query.per_row * facts.actual_rows
        ) + facts.scanned_pages * (facts.scanned_pages <= SMALL * max(1, facts.partitions) or not query.indexes)
        if facts.buffers > bound:
            findings.append(f"it reads {facts.buffers:,} buffers; {bound:,} are its bound")
    return Verdict(query.name, tuple(findings), tuple(remarks), bound, facts)


def _index(query: Query, facts: Facts, there: set[str], remarks: list[str]) -> list[str]:
    if not query.indexes:
        return []
    if query.indexes[0] not in there:
        # Somebody may have dropped it by hand; then there is nothing left to migrate.
        return [
            f"the index {query.indexes[0]} is not there: python manage.py migrate; where all is applied, "
            "python manage.py pam_status tells how to build it"
        ]
    if set(query.indexes) & set(facts.indexes):
        return []
    # To read all of what it touches costs no more than the index may.
    if facts.pages <= max(SMALL, query.per_partition) * max(1, facts.partitions):
        remarks.append(f"{', '.join(facts.indexes) or 'a scan'} is right: {facts.pages:,} pages are all there is")
        return []
    wanted = " or ".join(query.indexes)
    return [f"it does not use {wanted}, but {', '.join(facts.indexes) or f'a scan of {facts.scanned_pages:,} pages'}"]


def _partitions(query: Query, facts: Facts) -> list[str]:
    if query.partitions is None or facts.partitions_there <= 1 or facts.partitions <= query.partitions:
        return []
    return [f"it touches {facts.partitions} of {facts.partitions_there} partitions; {query.partitions} are enough"]


def is_misestimated(planned: int, actual: int) -> bool:
    """Whether the planner expected so many rows, and there were so many, that it was guessing."""
    more, less = max(planned, actual), max(1, min(planned, actual))
    return more - less >= FEW_ROWS and more / less >= WORST_ESTIMATE


def _estimate(facts: Facts) -> list[str]:
    if facts.actual_rows is None or not is_misestimated(facts.planned_rows, facts.actual_rows):
        return []
    return [
        f"the planner expected {facts.planned_rows:,} rows, and there were {facts.actual_rows:,}: python manage.py "
        "pam_analyze; if that is no help, its columns go together, of which phase 3 gathers statistics"
    ]
