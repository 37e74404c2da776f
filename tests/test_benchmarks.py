"""`python -m tests.benchmarks`: every figure is there and is a ratio. Of speed nothing is said here."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from pam.workload import QUERIES

pytestmark = pytest.mark.beside_15


def benchmark(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """As its user runs it; warnings are errors."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.benchmarks", *map(str, arguments)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("benchmarks")


@pytest.fixture(scope="module")
def printed(folder: Path) -> str:
    """All figures, small, once."""
    done = benchmark("--rows", "1000", "--json", folder / "figures.json", "--charts", folder)
    assert done.returncode == 0, done.stderr
    # A bar is for a terminal.
    assert done.stderr == ""
    return done.stdout


@pytest.fixture(scope="module")
def document(printed: str, folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "figures.json").read_text())
    return found


def test_every_figure_is_a_ratio_to_a_named_base(document):
    assert list(document["figures"]) == list("abcdefg")
    for figure in document["figures"].values():
        assert figure["base"]
        assert figure["rows"]
        for row in figure["rows"]:
            assert row["ratios"]
            assert row["base"]
            for value in (*row["ratios"].values(), *row["base"].values()):
                assert math.isfinite(value)
                assert value > 0, row


def test_what_was_compared(document):
    rows = {letter: [row["what"] for row in figure["rows"]] for letter, figure in document["figures"].items()}
    assert len(rows["b"]) == 2
    assert [row["point"] for row in document["figures"]["c"]["rows"]] == [
        *({"rows": size} for size in (10, 100)),
        *({"months": months} for months in (1, 5)),
    ]
    assert rows["d"] == list(QUERIES)
    assert rows["e"] == ["`bulk_create`", "`COPY`"]
    assert [row["point"]["partitions"] for row in document["figures"]["f"]["rows"]] == [1, 5]
    assert rows["g"] == ["time", "WAL"]


def test_the_machine_is_described(document, printed):
    machine = document["machine"]
    assert {"processors", "model", "memory", "kernel", "python", "postgresql", "settings"} == machine.keys()
    assert machine["postgresql"] in printed
    assert "fsync = off" in printed


def test_tables_are_printed(document, printed):
    """As Markdown: each row of a table has as many cells as its head."""
    tables = [[line for line in block.splitlines() if line.startswith("|")] for block in printed.split("\n\n")]
    tables = [table for table in tables if table]
    assert [len(table) - 2 for table in tables] == [len(figure["rows"]) for figure in document["figures"].values()]
    for table in tables:
        assert len({line.count("|") for line in table}) == 1


def test_charts_are_svg(printed, folder):
    charts = sorted(folder.glob("*.svg"))
    assert [chart.stem for chart in charts] == ["named_queries", "partition_counts", "swap_lock"]
    for chart in charts:
        assert ElementTree.parse(chart).getroot().tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 (our own)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--rows", "999"], "from 1,000 on"), (["--rows", "many"], "from 1,000 on"), (["--only", "a,x"], "called x")],
)
def test_wrong_arguments_are_named(arguments, said):
    done = benchmark(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
