"""What EXPLAIN's JSON says of memory, in each of the ways in which the server says it: in kB, or in pages."""

from typing import Any

import pytest

from pam.explain.spills import Run, read

pytestmark = pytest.mark.once

KB, PAGE = 1 << 10, 8192


def run(node: dict[str, Any], *, multiplier: float = 2, **answer: Any) -> Run:
    plan = {"Plan Rows": 10, "Actual Rows": 9.5, "Actual Loops": 1, **node}
    return read({"Plan": plan, "Execution Time": 12.5, **answer}, 64 * KB, multiplier, PAGE)


def sort(**facts: Any) -> dict[str, Any]:
    return {"Node Type": "Sort", "Actual Loops": 1, **facts}


DISK = {"Sort Method": "external merge", "Sort Space Used": 1408, "Sort Space Type": "Disk"}
MEMORY = {"Sort Method": "quicksort", "Sort Space Used": 55, "Sort Space Type": "Memory"}


@pytest.mark.parametrize(
    ("node", "spills"),
    [
        (sort(**MEMORY), ()),
        (sort(**DISK), ("Sort: external merge, 1,408 kB on disk",)),
        (sort(**MEMORY, Workers=[{"Worker Number": 0, **DISK}]), ("Sort: external merge, 1,408 kB on disk",)),
        ({"Node Type": "Hash", "Hash Batches": 1}, ()),
        ({"Node Type": "Hash", "Hash Batches": 8}, ("Hash: 8 batches on disk",)),
        (
            {"Node Type": "Aggregate", "Strategy": "Hashed", "HashAgg Batches": 5, "Disk Usage": 752},
            ("Aggregate: 5 batches, 752 kB on disk",),
        ),
        ({"Node Type": "Aggregate", "Strategy": "Hashed", "HashAgg Batches": 1, "Disk Usage": 0}, ()),
        (
            {
                "Node Type": "Incremental Sort",
                "Full-sort Groups": {"Sort Space Memory": {"Peak Sort Space Used": 30}},
                "Pre-sorted Groups": {"Sort Space Disk": {"Peak Sort Space Used": 2048}},
            },
            ("Incremental Sort: 2,048 kB on disk",),
        ),
        (
            {"Node Type": "Bitmap Heap Scan", "Exact Heap Blocks": 9, "Lossy Heap Blocks": 1536},
            ("Bitmap Heap Scan: of 1,536 pages only the page is known, every row is looked at",),
        ),
        # From 18 on.
        ({"Node Type": "WindowAgg", "Storage": "Disk", "Maximum Storage": 300}, ("WindowAgg: 300 kB on disk",)),
        ({"Node Type": "WindowAgg", "Storage": "Memory", "Maximum Storage": 17}, ()),
        # Before, only the blocks show.
        ({"Node Type": "WindowAgg", "Temp Written Blocks": 40}, ("320 kB on disk",)),
        ({"Node Type": "Hash", "Hash Batches": 8, "Temp Written Blocks": 40}, ("Hash: 8 batches on disk",)),
    ],
)
def test_what_does_not_fit(node, spills):
    assert run({**node, "Actual Loops": 1}).spills == spills


def test_the_rest_of_what_it_says():
    node = {**sort(**DISK), "Plans": [{"Node Type": "Seq Scan", "Relation Name": "t", "Actual Loops": 1}]}
    found = run(node, JIT={"Functions": 3, "Timing": {"Total": 4.5}})
    assert (found.work_mem, found.partitions, found.planned_rows, found.actual_rows) == (64 * KB, 1, 10, 10)
    assert (found.milliseconds, found.jit_ms) == (12.5, 4.5)


def test_a_partition_that_was_not_needed_takes_nothing():
    scan = {"Node Type": "Seq Scan", "Relation Name": "t", "Actual Loops": 0}
    found = run({"Node Type": "Append", "Plans": [{**sort(), "Actual Loops": 0, "Plans": [scan]}]})
    assert (found.takers, found.partitions) == (0, 0)


def test_who_takes_it_at_once():
    """A hash takes hash_mem_multiplier times as much; below a Gather each process has its own."""
    hashed = {"Node Type": "Hash", "Actual Loops": 1}
    assert run(sort(Plans=[hashed])).takers == 3
    assert (
        run(
            {"Node Type": "Gather", "Workers Planned": 2, "Workers Launched": 2, "Plans": [sort(Plans=[hashed])]}
        ).takers
        == 9
    )
    assert run({"Node Type": "Aggregate", "Strategy": "Hashed"}, multiplier=1.5).takers == 1.5
    assert run({"Node Type": "Bitmap Heap Scan", "Lossy Heap Blocks": 9}).takers == 0
