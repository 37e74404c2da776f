"""Advice on storage parameters: how append-only partitions are vacuumed, and what hot tables leave free on a page."""

from collections.abc import Callable, Iterator

from pam.health.advice import DOCS, Advice, Case, Status
from pam.postgres.server_tables import Leaf, Table

AUTOVACUUM = f"{DOCS}routine-vacuuming.html#AUTOVACUUM"
FILLFACTOR = f"{DOCS}sql-createtable.html#RELOPTION-FILLFACTOR"
HOT = f"{DOCS}storage-hot.html"
FREEZE, INSERTS = "autovacuum_freeze_min_age", "autovacuum_vacuum_insert_scale_factor"
# A table with fewer rows is vacuumed in no time, however it is set.
LARGE = 10_000
# So many rows of a month may stay behind, never vacuumed until their transactions are about to wrap around.
MOST_BEHIND = 100_000
FACTORS = (0.1, 0.05, 0.02, 0.01)
# From 18 on the factor counts only pages that are not frozen, so that little stays behind.
UNFROZEN_SINCE = 18_00_00
# Hot is what was updated so often: once for each row may have been one statement.
HOT_UPDATES, HOT_TIMES = 1_000, 2
# Of the updates of a hot table so many may find no room on their page.
MOST_MOVED = 0.2
ROOMY = "90"
# What ALTER TABLE ... SET of these takes: SHARE UPDATE EXCLUSIVE, for which no reader or writer waits.
AT_ONCE = "at once"


def tables(case: Case) -> Iterator[Advice]:
    """`autovacuum_...` of append-only tables, `fillfactor` of those that are updated."""
    for table in case.tables:
        if table.leaves and all(leaf.is_append_only for leaf in table.leaves):
            yield from _append_only(case, table)
    yield from _fillfactors(case)


def _append_only(case: Case, table: Table) -> Iterator[Advice]:
    changed = sum(leaf.updates + leaf.deletes for leaf in table.leaves)
    freeze_age = case.server["vacuum_freeze_min_age"]
    factor, threshold = case.server[INSERTS], case.server["autovacuum_vacuum_insert_threshold"]
    told = (
        f"{table.name} refuses changes, {changed:,} were counted, and its largest part has {max(table.rows, 0):,} rows"
    )
    if table.rows < 0:
        for name, has in ((FREEZE, freeze_age.shown), (INSERTS, factor.shown)):
            yield _of_table(name, table, Status.UNKNOWN, has, f"{table.name} was never analyzed.", AUTOVACUUM)
        return
    if table.rows < LARGE or changed > table.rows // 100:
        for name, has in ((FREEZE, freeze_age.shown), (INSERTS, factor.shown)):
            yield _of_table(name, table, Status.OK, has, f"{told}: it is well as it is.", AUTOVACUUM)
        return
    yield _parameter(
        table, FREEZE, freeze_age.shown, "0", AUTOVACUUM,
        f"{told}: a row that never changes is frozen by the first vacuum that sees it, and is not read again for that.",
    )  # fmt: skip
    if threshold.number < 0:
        reason = "autovacuum_vacuum_insert_threshold = -1: inserts never cause a vacuum."
        yield _of_table(INSERTS, table, Status.UNKNOWN, factor.shown, reason, AUTOVACUUM)
        return
    behind = threshold.number + factor.number * table.rows
    wants = next((one for one in FACTORS if threshold.number + one * table.rows <= MOST_BEHIND), FACTORS[-1])
    if behind <= MOST_BEHIND or case.server.version >= UNFROZEN_SINCE or wants >= factor.number:
        reason = f"{told}; {behind:,.0f} rows may wait for a vacuum"
        if case.server.version >= UNFROZEN_SINCE:
            reason += ", fewer where pages are frozen already, which from PostgreSQL 18 on do not count"
        yield _of_table(INSERTS, table, Status.OK, factor.shown, f"{reason}.", AUTOVACUUM)
        return
    reason = (
        f"{told}: {behind:,.0f} rows of a month that is over would wait for a vacuum until their transactions are "
        f"about to wrap around; with {wants} it is {threshold.number + wants * table.rows:,.0f}."
    )
    yield _parameter(table, INSERTS, factor.shown, str(wants), AUTOVACUUM, reason)


def _parameter(table: Table, name: str, usual: str, wants: str, rule: str, reason: str) -> Advice:
    """The advice that each part of a table has `name` = `wants`, or less already."""

    def is_due(leaf: Leaf) -> bool:
        return float(leaf.parameters.get(name, usual)) > float(wants)

    return _of_parts(table, name, usual, wants, rule, reason, is_due)


def _of_parts(
    table: Table, name: str, usual: str, wants: str, rule: str, reason: str, is_due: Callable[[Leaf], bool]
) -> Advice:
    due = [leaf for leaf in table.leaves if is_due(leaf)]
    has = ", ".join(sorted({leaf.parameters.get(name, usual) for leaf in due or table.leaves}))
    if not due:
        return _of_table(name, table, Status.OK, has, reason, rule)
    # A partitioned table takes no such parameter; months made later need it too.
    if table.is_partitioned:
        reason += f" {len(due)} of {len(table.leaves)} partitions; look again when new ones were made."
    statements = tuple(f"ALTER TABLE {leaf.name} SET ({name} = {wants})" for leaf in due)
    return _of_table(name, table, Status.CHANGE, has, reason, rule, wants, statements)


def _of_table(
    name: str,
    table: Table,
    status: Status,
    has: str,
    reason: str,
    rule: str,
    wants: str | None = None,
    statements: tuple[str, ...] = (),
) -> Advice:
    effect = AT_ONCE if statements else None
    return Advice(name, table.name, status, has, has, wants, reason, rule, effect, statements)


def _fillfactors(case: Case) -> Iterator[Advice]:
    written = [table for table in case.tables if _sum(table, "inserts") or _sum(table, "updates")]
    hot = [table for table in written if _sum(table, "updates") >= max(HOT_UPDATES, HOT_TIMES * _sum(table, "live"))]
    if not written:
        yield Advice(
            "fillfactor", "all tables", Status.UNKNOWN, "100", "100", None,
            "No row was written since the counters were reset.", HOT,
        )  # fmt: skip
    elif len(hot) < len(case.tables):
        yield Advice(
            "fillfactor", "other tables" if hot else "all tables", Status.OK, "100", "100", None,
            f"Of {len(case.tables) - len(hot)} tables no row was updated {HOT_TIMES} times, on the average.", HOT,
        )  # fmt: skip
    for table in hot:
        yield _fillfactor(table)


def _fillfactor(table: Table) -> Advice:
    updates, in_place = _sum(table, "updates"), _sum(table, "hot_updates")
    told = f"{updates:,} updates of {_sum(table, 'live'):,} rows, {in_place:,} of them on the same page and in no index"
    moved = [leaf.newpage_updates for leaf in table.leaves]
    if any("fillfactor" in leaf.parameters for leaf in table.leaves if leaf.updates):
        # What was counted before it was set says nothing about it.
        has = ", ".join(sorted({leaf.parameters.get("fillfactor", "100") for leaf in table.leaves}))
        return _of_table("fillfactor", table, Status.OK, has, f"{told}. It is set already.", FILLFACTOR)
    if all(one is None for one in moved):
        # Before 16 nobody counts why: a change of an indexed column is never made in place, room or not.
        if in_place < MOST_MOVED * updates:
            reason = f"{told}. Whether room was missing, or indexed columns changed, is counted from PostgreSQL 16 on."
            return _of_table("fillfactor", table, Status.UNKNOWN, "100", reason, HOT)
        away = updates - in_place
    else:
        away = sum(one or 0 for one in moved)
        told += f", {away:,} on another page"
    if away <= MOST_MOVED * updates:
        return _of_table("fillfactor", table, Status.OK, "100", f"{told}. They find room.", HOT)
    reason = f"{told}. Pages that are there keep their rows until they are rewritten."
    return _of_parts(
        table, "fillfactor", "100", ROOMY, FILLFACTOR, reason, lambda leaf: "fillfactor" not in leaf.parameters
    )


def _sum(table: Table, what: str) -> int:
    return sum(getattr(leaf, what) for leaf in table.leaves)
