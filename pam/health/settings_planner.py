"""Advice on what the planner believes: what a page costs, how much it knows of the rows, whether it compiles."""

from collections.abc import Iterator

from pam.explain.judge import is_misestimated
from pam.health.advice import DOCS, Advice, Case, about, listed, megabytes
from pam.postgres.server_machine import Machine

QUERY = f"{DOCS}runtime-config-query.html"
PAGE_COST = f"{QUERY}#GUC-RANDOM-PAGE-COST"
TARGET = f"{QUERY}#GUC-DEFAULT-STATISTICS-TARGET"
JIT = f"{DOCS}jit-decision.html"
# The documentation's figure for storage that finds any page as fast as the next one, as memory does.
CACHED_COST = "1.1"
# From here on a value says that already.
LOW_COST = 2
MORE_STATISTICS = 500
# So much of the time of the queries that were compiled may go into compiling.
MOST_JIT = 0.1


def planner(case: Case) -> Iterator[Advice]:
    """`random_page_cost` where the memory is known, `default_statistics_target`, `jit`."""
    if case.machine:
        yield _page_cost(case, case.machine)
    yield _target(case)
    yield _jit(case)


def _page_cost(case: Case, machine: Machine) -> Advice:
    setting, counters = case.server["random_page_cost"], case.counters
    cached = machine.memory * 3 // 4
    looked = counters.blocks_hit + counters.blocks_read
    told = f"Database: {megabytes(counters.database_bytes)}, memory that may be cache: {megabytes(cached)}"
    if looked:
        told += f"; of {looked:,} pages looked at, {counters.blocks_hit / looked:.1%} were in shared_buffers"
    if setting.number <= LOW_COST:
        return about(
            case, "random_page_cost", PAGE_COST, f"{told}. It says already that any page costs about the same."
        )
    if counters.database_bytes <= cached:
        return about(
            case, "random_page_cost", PAGE_COST, f"{told}. All of it fits, so any page costs the same.", CACHED_COST
        )
    reason = (
        f"{told}. Not all of it fits, and whether the disk finds any page as fast as the next one, SQL does not show."
    )
    return about(case, "random_page_cost", PAGE_COST, reason, tell=False)


def _target(case: Case) -> Advice:
    name, setting = "default_statistics_target", case.server["default_statistics_target"]
    wrong = [one for one, run in case.runs.items() if is_misestimated(run.planned_rows, run.actual_rows)]
    if not wrong and not case.is_asked:
        return about(case, name, TARGET, f"{case.asked_told}, and of them none has badly guessed rows.", tell=False)
    if not wrong:
        return about(
            case, name, TARGET, f"Of {len(case.runs)} named queries the planner guesses no number of rows badly."
        )
    worst = "; ".join(
        f"{one}: expected {case.runs[one].planned_rows:,} rows, there were {case.runs[one].actual_rows:,}"
        for one in wrong
    )
    if setting.number >= MORE_STATISTICS:
        reason = (
            f"{worst}. More of these statistics would not help; are they fresh (ANALYZE), or do columns go together?"
        )
        return about(case, name, TARGET, reason)
    reason = f"{worst}. ANALYZE afterwards, which then samples 300 rows for each."
    return about(case, name, TARGET, reason, str(MORE_STATISTICS))


def _jit(case: Case) -> Advice:
    if case.server["jit"].raw == "off":
        return about(case, "jit", JIT, "It is off.")
    if not case.server.can_compile:
        return about(case, "jit", JIT, "The server was built or installed without it, so nothing is compiled.")
    compiled = {name: run for name, run in case.runs.items() if run.jit_ms > 0}
    if not compiled and not case.is_asked:
        return about(case, "jit", JIT, f"{case.asked_told}, and none of them is compiled.", tell=False)
    if not compiled:
        return about(case, "jit", JIT, f"None of {len(case.runs)} named queries is dear enough to be compiled.")
    spent, taken = sum(run.jit_ms for run in compiled.values()), sum(run.milliseconds for run in compiled.values())
    told = f"{listed(compiled)}: {spent:,.0f} of {taken:,.0f} ms went into compiling"
    return about(case, "jit", JIT, f"{told}.", "off" if spent > MOST_JIT * taken else None)
