"""a. Phase 2 by our operation against the same statements, bare."""

from tests.benchmarks.phases import load_company
from tests.benchmarks.results import Figure, Row
from tests.benchmarks.scale import Scale, Told, migrate, run, settle
from tests.support.document import INDEXES
from tests.support.servers import ALIAS, ROOMY, server_under_alias
from tests.support.turns import medians, seconds

BEFORE, INDEXED = "0003_phase2_trigram_extension", "0004_phase2_advanced_indexes"


def measure(scale: Scale, told: Told) -> Figure:
    """Seconds for the 17 indexes on a company of so many events."""
    with server_under_alias(ROOMY):
        told("a company is loaded")
        migrate(ALIAS, BEFORE)
        load_company(ALIAS, scale)
        settle(ALIAS)
        told("indexes are built")
        taken = medians(scale.turns, {"ours": _by_our_operation, "bare": _bare})
    return Figure(
        f"Phase 2: {len(INDEXES)} indexes, {scale.rows:,} audit events, by `migrate`",
        "the bare `CREATE INDEX CONCURRENTLY` statements, by one session",
        f"(nobody else; median of {scale.turns}, in turns)",
        [Row("time", {"ratio": taken["ours"] / taken["bare"]}, {"s": taken["bare"]})],
    )


def _by_our_operation() -> float:
    run(ALIAS, "CHECKPOINT")
    taken = seconds(lambda: migrate(ALIAS, INDEXED))
    migrate(ALIAS, BEFORE)
    return taken


def _bare() -> float:
    run(ALIAS, "CHECKPOINT")
    statements = [f"CREATE INDEX CONCURRENTLY {name} ON {definition}" for name, definition in INDEXES.items()]
    taken = seconds(lambda: run(ALIAS, *statements))
    run(ALIAS, *(f"DROP INDEX {name}" for name in INDEXES))
    return taken
