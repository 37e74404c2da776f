"""EXPLAIN of a queryset, as facts: indexes by their parents' names, partitions touched, rows, buffers."""

import json
from dataclasses import dataclass
from typing import Any, cast

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.backends.utils import CursorWrapper
from django.db.models import QuerySet

from pam.postgres.locks import read_only

# Of each relation that a plan may name: what it is a part of, in the end, and how large it is.
ROOTS = """
SELECT c.relname, coalesce(root.relname, c.relname),
    pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::int, (
    SELECT greatest(count(*), 1) FROM pg_catalog.pg_partition_tree(coalesce(root.oid, c.oid)) t WHERE t.isleaf
)
FROM pg_catalog.pg_class c
LEFT JOIN pg_catalog.pg_class root ON root.oid = pg_catalog.pg_partition_root(c.oid)
WHERE c.relname = ANY (%s) AND c.relkind IN ('r', 'p', 'i', 'I') AND pg_catalog.pg_table_is_visible(c.oid)
"""


@dataclass(frozen=True)
class Facts:
    """What a plan says; `pages` are those of all partitions touched, `scanned_pages` of those that were read whole.

    Without ANALYZE there are no `actual_rows`, `buffers` and `milliseconds`."""

    indexes: tuple[str, ...]
    partitions: int
    partitions_there: int
    pages: int
    scanned_pages: int
    planned_rows: int
    actual_rows: int | None
    buffers: int | None
    milliseconds: float | None
    settings: dict[str, str]


def explain(alias: str, rows: QuerySet[Any, Any], *, analyze: bool, timeout_ms: int) -> Facts:
    """Ask the server. ANALYZE runs the query, in a read-only transaction that ends after `timeout_ms`.

    Locks: ACCESS SHARE on what the query reads.
    """
    connection = connections[alias]
    with read_only(connection, timeout_ms), connection.cursor() as cursor:
        answer = ask(cursor, alias, rows, analyze=analyze)
        nodes = nodes_of(answer["Plan"])
        names = {node[key] for node in nodes for key in ("Index Name", "Relation Name") if key in node}
        cursor.execute(ROOTS, [list(names)])
        known = {name: (root, pages, leaves) for name, root, pages, leaves in cursor.fetchall()}
    return _facts(answer, nodes, known)


def ask(cursor: CursorWrapper, alias: str, rows: QuerySet[Any, Any], *, analyze: bool) -> dict[str, Any]:
    """EXPLAIN in a transaction that the caller has begun; the answer as the server's JSON has it."""
    options = "FORMAT JSON, SETTINGS" + (", ANALYZE, BUFFERS" if analyze else "")
    try:
        statement, parameters = rows.using(alias).query.get_compiler(using=alias).as_sql()
    except EmptyResultSet:
        statement, parameters = "SELECT WHERE false", ()
    cursor.execute(f"EXPLAIN ({options}) {statement}", parameters)
    ((found,),) = cursor.fetchall()
    (answer,) = found if isinstance(found, list) else json.loads(found)
    return cast("dict[str, Any]", answer)


def nodes_of(node: dict[str, Any]) -> list[dict[str, Any]]:
    """A node of a plan, and all below it."""
    return [node, *(below for child in node.get("Plans", []) for below in nodes_of(child))]


def _facts(answer: dict[str, Any], nodes: list[dict[str, Any]], known: dict[str, tuple[str, int, int]]) -> Facts:
    plan = answer["Plan"]
    # A partition that turned out not to be needed while the query ran was not touched.
    scans = [node for node in nodes if "Relation Name" in node and node.get("Actual Loops", 1) > 0]
    used = {node["Index Name"] for node in nodes if "Index Name" in node and node.get("Actual Loops", 1) > 0}
    whole = [node["Relation Name"] for node in scans if node["Node Type"] == "Seq Scan"]
    measured = "Actual Rows" in plan
    return Facts(
        indexes=tuple(sorted({known[name][0] for name in used})),
        partitions=len({node["Relation Name"] for node in scans}),
        partitions_there=max((known[node["Relation Name"]][2] for node in scans), default=0),
        pages=sum(known[name][1] for name in {node["Relation Name"] for node in scans}),
        scanned_pages=sum(known[name][1] for name in whole),
        planned_rows=int(plan["Plan Rows"]),
        actual_rows=round(plan["Actual Rows"]) if measured else None,
        buffers=plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] if measured else None,
        milliseconds=float(answer["Execution Time"]) if measured else None,
        settings=answer.get("Settings", {}),
    )
