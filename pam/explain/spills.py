"""What of a query does not fit into `work_mem`, and how much of it would do: both by EXPLAIN (ANALYZE).

https://www.postgresql.org/docs/current/runtime-config-resource.html#GUC-WORK-MEM
"""

from dataclasses import dataclass
from typing import Any

from django.db import connections
from django.db.models import QuerySet

from pam.explain.plans import ask, nodes_of
from pam.postgres.locks import read_only


@dataclass(frozen=True)
class Run:
    """A query that was run. `spills` says what did not fit, and `work_mem` is what it had, in bytes.

    `takers` is how many times `work_mem` it may have taken at once: each sort, each hash (times `hash_mem_multiplier`),
    in each process that ran it. `jit_ms` is a part of `milliseconds`.
    """

    work_mem: int
    spills: tuple[str, ...]
    takers: float
    partitions: int
    planned_rows: int
    actual_rows: int
    milliseconds: float
    jit_ms: float


def run(
    alias: str, rows: QuerySet[Any, Any], *, timeout_ms: int, work_mem: int | None = None, alone: bool = False
) -> Run:
    """Run a query, in a read-only transaction that ends after `timeout_ms`, with so many bytes, or those it has.

    `alone`: by the same plan, but no process comes to help, so that all rows go through one of them.
    Locks: ACCESS SHARE on what the query reads.
    """
    connection = connections[alias]
    with read_only(connection, timeout_ms), connection.cursor() as cursor:
        if work_mem is not None:
            cursor.execute("SELECT pg_catalog.set_config('work_mem', %s, true)", [f"{work_mem >> 10}kB"])
        if alone:
            cursor.execute("SELECT pg_catalog.set_config('max_parallel_workers', '0', true)")
        cursor.execute(
            "SELECT pg_catalog.pg_size_bytes(pg_catalog.current_setting('work_mem')),"
            " pg_catalog.current_setting('hash_mem_multiplier')::float8, pg_catalog.current_setting('block_size')::int"
        )
        had, multiplier, page = cursor.fetchone()
        answer = ask(cursor, alias, rows, analyze=True)
    return read(answer, had, multiplier, page)


def enough(alias: str, rows: QuerySet[Any, Any], tried: Run, *, most: int, timeout_ms: int) -> int | None:
    """The bytes, doubled until nothing spills, with which the query was run without a spill; None if `most` is too few.

    It is tried and not computed: a sort on disk is packed more tightly than in memory, and with more memory the planner
    may choose another plan. One process has to do, since how a parallel plan shares out the rows is another each time.
    """
    work_mem = tried.work_mem
    while (work_mem := work_mem * 2) <= most:
        if not run(alias, rows, timeout_ms=timeout_ms, work_mem=work_mem, alone=True).spills:
            return work_mem
    return None


def read(answer: dict[str, Any], work_mem: int, multiplier: float, page: int) -> Run:
    """What the server's JSON says. Sizes of sorts and hashes are in kB, blocks are pages of so many bytes."""
    plan = answer["Plan"]
    nodes = [node for node in nodes_of(plan) if node.get("Actual Loops", 0) > 0]
    spills = [told for node in nodes for told in _spills(node)]
    written = plan.get("Temp Written Blocks", 0)
    if written and not any("on disk" in told for told in spills):
        # A node that keeps rows for later (a CTE, a window) does not say so before PostgreSQL 18.
        spills.append(f"{_kb(written * page // 1024)} on disk")
    return Run(
        work_mem=work_mem,
        spills=tuple(dict.fromkeys(spills)),
        takers=_takers(plan, multiplier),
        partitions=len({node["Relation Name"] for node in nodes if "Relation Name" in node}),
        planned_rows=int(plan["Plan Rows"]),
        actual_rows=round(plan["Actual Rows"]),
        milliseconds=float(answer["Execution Time"]),
        jit_ms=float(answer.get("JIT", {}).get("Timing", {}).get("Total", 0)),
    )


def _spills(node: dict[str, Any]) -> list[str]:
    """What a node says of itself, and of the processes that helped it."""
    kind = node["Node Type"]
    told = []
    for one in (node, *node.get("Workers", [])):
        if one.get("Sort Space Type") == "Disk":
            told.append(f"{kind}: {one['Sort Method']}, {_kb(one['Sort Space Used'])} on disk")
        if one.get("Hash Batches", 1) > 1:
            told.append(f"{kind}: {one['Hash Batches']} batches on disk")
        if one.get("HashAgg Batches", 0) > 1 or one.get("Disk Usage", 0) > 0:
            told.append(f"{kind}: {one.get('HashAgg Batches', 0)} batches, {_kb(one.get('Disk Usage', 0))} on disk")
        if one.get("Lossy Heap Blocks", 0) > 0:
            told.append(f"{kind}: of {one['Lossy Heap Blocks']:,} pages only the page is known, every row is looked at")
        if one.get("Storage") == "Disk":
            told.append(f"{kind}: {_kb(one['Maximum Storage'])} on disk")
    for groups in ("Full-sort Groups", "Pre-sorted Groups"):
        disk = node.get(groups, {}).get("Sort Space Disk", {})
        if disk.get("Peak Sort Space Used", 0) > 0:
            told.append(f"{kind}: {_kb(disk['Peak Sort Space Used'])} on disk")
    return told


def _takers(node: dict[str, Any], multiplier: float, processes: int = 1) -> float:
    """Bitmaps are left out: one for each partition, it takes some 50 bytes for a page, seldom all it may."""
    if "Workers Planned" in node:
        processes = 1 + node.get("Workers Launched", node["Workers Planned"])
    own = 0.0
    if node.get("Actual Loops", 0) > 0:
        if node["Node Type"] in ("Sort", "Incremental Sort"):
            own = 1
        elif node["Node Type"] in ("Hash", "Memoize") or node.get("Strategy") in ("Hashed", "Mixed"):
            own = multiplier
    return own * processes + sum(_takers(child, multiplier, processes) for child in node.get("Plans", []))


def _kb(size: int) -> str:
    return f"{size:,} kB"
