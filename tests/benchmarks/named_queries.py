"""d. Each named query in phase 1, 2 and 3."""

import statistics

from pam.explain.plans import explain
from pam.explain.query import Query
from pam.explain.sample import Sample
from pam.workload import QUERIES
from tests.benchmarks.phases import MONTHS, all_phases
from tests.benchmarks.results import Figure, Row
from tests.benchmarks.scale import Scale, Told

TIMEOUT_MS = 600_000


def measure(scale: Scale, told: Told) -> Figure:
    """Milliseconds of execution (without planning), and buffers, of every query of `pam.workload`."""
    with all_phases(scale, told) as (_, databases):
        # Asked about the same rows in all of them.
        sample = Sample(databases["phase 1"])
        rows = []
        for name, query in QUERIES.items():
            told(name)
            rows.append(_row(query, sample, databases, scale.rounds))
    return Figure(
        f"The named queries, {scale.rows:,} audit events in {scale.months(MONTHS)} months, execution time and buffers",
        "phase 1",
        f"(median of {scale.rounds}, in turns; phase 2 brings indexes, phase 3 months)",
        rows,
    )


def _row(query: Query, sample: Sample, databases: dict[str, str], rounds: int) -> Row:
    taken: dict[str, list[tuple[float, int]]] = {phase: [] for phase in databases}
    for _ in range(rounds):
        for phase, alias in databases.items():
            facts = explain(alias, query.build(sample), analyze=True, timeout_ms=TIMEOUT_MS)
            assert facts.milliseconds is not None
            assert facts.buffers is not None
            taken[phase].append((facts.milliseconds, facts.buffers))
    time, buffers = (
        {phase: statistics.median(one[index] for one in found) for phase, found in taken.items()} for index in (0, 1)
    )
    return Row(
        query.name,
        {
            f"{what}, {phase}": values[phase] / values["phase 1"]
            for what, values in (("time", time), ("buffers", buffers))
            for phase in ("phase 2", "phase 3")
        },
        {"ms": time["phase 1"], "buffers": buffers["phase 1"]},
    )
