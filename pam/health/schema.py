"""Is the schema as the migrations left it? Parts that are missing, different, or there and out of work."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from pam.health.expected import changes, expected, made_by
from pam.health.finding import Finding, Severity
from pam.postgres.catalog import quoted
from pam.postgres.inventory import Part, TableParts

# Without one of these, queries are slower and nothing else.
ONLY_SPEED = ("index", "statistics")
SEARCH, REPORT_SEARCH, ROTATIONS = "0023_search_indexes", "0024_report_search_index", "0025_rotation_list_index"
# Migrations that accept what is there and build the rest concurrently, on each month as well, when they are run again:
# the one before each, to which the record goes back for that, and the one to run to where not all phases are wanted.
RUN_AGAIN = {
    "0004_phase2_advanced_indexes": ("0003_phase2_trigram_extension", "0090_phase2_end"),
    "0005_phase2_unique_constraints": ("0004_phase2_advanced_indexes", "0090_phase2_end"),
    "0022_list_indexes": ("0021_duty_permissions", "0022_list_indexes"),
    SEARCH: ("0022_list_indexes", SEARCH),
    ROTATIONS: ("0022_list_indexes", ROTATIONS),
}
OPERATOR_CLASS = re.compile(r"\S+\.(gin_trgm_ops)")
TROUBLES = {
    "INVALID": ("index-invalid", "no query uses it, writers still feed it"),
    "not ready": ("index-invalid", "no query uses it, and writers do not feed it"),
    "NOT VALID": ("constraint-not-valid", "rows from before it are not checked"),
    "disabled": ("trigger-disabled", "it does nothing"),
    "for replicas only": ("trigger-disabled", "it does nothing where the application writes"),
}


def judge_schema(tables: Collection[TableParts], applied: Collection[str], alias: str) -> list[Finding]:
    """The findings on tables and their partitions, by the names of the migrations that are applied. `alias`: for the
    cures."""
    wanted = expected(applied)
    there = {table.name: table for table in tables if table.parent_oid is None}
    findings = []
    for name, kinds in wanted.items():
        if name in there:
            findings += list(_differences(there[name], kinds, applied, alias))
        else:
            findings.append(_no_table(name, applied))
    by_oid = {table.oid: table for table in tables}
    for table in tables:
        parent = by_oid.get(table.parent_oid or 0)
        triggers = wanted.get((parent or table).name, {}).get("trigger", {})
        findings += list(_troubles(table, triggers, applied, alias))
        findings += list(_table_itself(table))
        if parent:
            findings += list(_unguarded(table, parent))
    return findings


def _no_table(name: str, applied: Collection[str]) -> Finding:
    return Finding(
        "table-missing",
        Severity.ERROR,
        name,
        f"{made_by(name, 'table', name, applied)} is applied, and this session sees no table of that name",
        f"Look for it in other schemas (psql: \\dt *.{name}); if it is nowhere, restore it from a backup",
    )


def _differences(
    table: TableParts, kinds: dict[str, dict[str, str]], applied: Collection[str], alias: str
) -> Iterator[Finding]:
    there = {(part.kind, part.name): part for part in table.parts}
    there["table", table.name] = Part("table", table.name, table.definition, None)
    for kind, parts in kinds.items():
        for name, definition in parts.items():
            migration = made_by(table.name, kind, name, applied)
            part = there.get((kind, name))
            if part is None:
                yield Finding(
                    f"{kind}-missing",
                    Severity.WARNING if kind in ONLY_SPEED else Severity.ERROR,
                    f"{table}.{name}",
                    f"{migration} is applied, and this {kind} is not there; wanted: {definition}",
                    _make(migration, applied, alias),
                )
            elif part.trouble is None and _bare(part.definition) != _bare(definition):
                yield Finding(
                    f"{kind}-different",
                    Severity.WARNING if kind in ONLY_SPEED else Severity.ERROR,
                    f"{table}.{name}",
                    f"wanted: {definition}; found: {part.definition}",
                    f"Compare with: python manage.py sqlmigrate pam {migration} --database {alias}",
                )


def _make(migration: str, applied: Collection[str], alias: str) -> str:
    """How what a migration makes comes to be there whole. No phase is applied by it that is not there."""
    if migration not in RUN_AGAIN:
        return f"Make it as it is printed by: python manage.py sqlmigrate pam {migration} --database {alias}"
    before, last = RUN_AGAIN[migration]
    # With that record goes the one of those that build upon it.
    to = [last, *(one for one in (SEARCH, REPORT_SEARCH, ROTATIONS) if one in applied and one != last)]
    targets = [""] if any(name.endswith("_all_phases") for name in applied) else [f" pam {name}" for name in to]
    run = " && ".join(f"python manage.py migrate{target} --database {alias}" for target in targets)
    if migration not in applied:
        return run
    return (
        f"python manage.py migrate --fake pam {before} --database {alias} && {run}"
        "  # accepts what is there, builds what is not"
    )


def _bare(definition: str) -> str:
    """The extension's operators may be in a schema that this session must name."""
    return OPERATOR_CLASS.sub(r"\1", definition)


def _troubles(
    table: TableParts, triggers: Mapping[str, str], applied: Collection[str], alias: str
) -> Iterator[Finding]:
    """What is there and does not work, whoever made it, on partitions too. `triggers`: as they should be, by name."""
    for part in table.parts:
        if part.trouble is None:
            continue
        finding, means = TROUBLES[part.trouble]
        yield Finding(
            finding,
            Severity.ERROR,
            f"{table}.{part.name}",
            f"it is {part.trouble}: {means}",
            _cure(table, part, triggers, applied, alias),
        )


def _cure(table: TableParts, part: Part, triggers: Mapping[str, str], applied: Collection[str], alias: str) -> str:
    if part.kind == "constraint":
        return f"ALTER TABLE {quoted(table.schema, table.name)} VALIDATE CONSTRAINT {quoted(part.name)}"
    if part.kind == "trigger":
        return _enable(table, part.name, triggers.get(part.name, ""))
    index = quoted(table.schema, part.name)
    if table.definition != "plain":
        for migration in RUN_AGAIN:
            if part.name in changes()[migration].get(table.name, {}).get("index", {}):
                return _make(migration, applied, alias)
        return (
            "One of its partitions lacks its index, or has an invalid one. Make it and attach it: "
            f"ALTER INDEX {index} ATTACH PARTITION ..."
        )
    return f"REINDEX INDEX CONCURRENTLY {index}, unless a build is at work on it just now"


def _enable(table: TableParts, trigger: str, definition: str) -> str:
    always = " ALWAYS" if definition.endswith("ENABLE ALWAYS") else ""
    return f"ALTER TABLE {quoted(table.schema, table.name)} ENABLE{always} TRIGGER {quoted(trigger)}"


def _table_itself(table: TableParts) -> Iterator[Finding]:
    if not table.may_alter:
        yield Finding(
            "table-not-owned",
            Severity.WARNING,
            str(table),
            f"it belongs to {table.owner}, and this role may not act as that, so that migrate cannot change it",
            f"As {table.owner} or a superuser: ALTER TABLE {quoted(table.schema, table.name)} OWNER TO the role of "
            "DATABASE_URL",
        )
    if table.autovacuum_is_off:
        yield Finding(
            "autovacuum-off",
            Severity.WARNING,
            str(table),
            "autovacuum_enabled=false is set on it: dead rows stay, and its statistics grow old",
            f"ALTER TABLE {quoted(table.schema, table.name)} RESET (autovacuum_enabled)",
        )


def _unguarded(partition: TableParts, parent: TableParts) -> Iterator[Finding]:
    """A trigger for statements does not go to partitions by itself, so one that was attached by hand has none."""
    there = {part.name for part in partition.parts if part.kind == "trigger"}
    for part in parent.parts:
        if part.kind == "trigger" and part.name not in there:
            statement, _, _ = part.definition.partition(" /*")
            here = statement.replace(f" ON {parent.name} ", f" ON {quoted(partition.schema, partition.name)} ")
            yield Finding(
                "trigger-missing",
                Severity.ERROR,
                f"{partition}.{part.name}",
                f"{parent} has this trigger, and its partition {partition.name} has it not",
                f"CREATE TRIGGER {quoted(part.name)} {here}; {_enable(partition, part.name, part.definition)}",
            )


def half_applied(tables: Iterable[TableParts], applied: Collection[str]) -> dict[str, tuple[int, int]]:
    """Migrations that are not applied though some of what they make is there: how many parts of how many."""
    wanted = expected(applied)
    there = {
        (table.name, part.kind, part.name): part.definition
        for table in tables
        if table.parent_oid is None
        for part in (*table.parts, Part("table", table.name, table.definition, None))
    }
    found = {}
    for migration, by_table in changes().items():
        if migration in applied:
            continue
        news = {
            (table, kind, name): definition
            for table, kinds in by_table.items()
            for kind, parts in kinds.items()
            for name, definition in parts.items()
            if definition is not None and wanted.get(table, {}).get(kind, {}).get(name) != definition
        }
        present = sum(there.get(key) == definition for key, definition in news.items())
        if present:
            found[migration] = present, len(news)
    return found
