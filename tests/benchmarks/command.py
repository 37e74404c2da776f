"""The command: parse, measure one figure after the other, print."""

import json
import logging
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings
from tqdm import tqdm

from tests.benchmarks import (
    conversion,
    index_builds,
    inserts,
    named_queries,
    partition_counts,
    retirement,
    swap_lock,
)
from tests.benchmarks.machine import described, machine
from tests.benchmarks.results import Figure, markdown
from tests.benchmarks.scale import BELIEVED, Scale

FIGURES = {
    "a": index_builds.measure,
    "b": conversion.measure,
    "c": swap_lock.measure,
    "d": named_queries.measure,
    "e": inserts.measure,
    "f": partition_counts.measure,
    "g": retirement.measure,
}
ROWS, FEWEST = 1_000_000, 1_000
# Who reads the file must know what it says.
FORMAT = 1


def main() -> None:
    """Measure what was asked for; tables to stdout, progress to stderr at a terminal."""
    parser = _parser()
    options = parser.parse_args()
    if options.json and (options.json.is_dir() or not options.json.parent.is_dir()):
        parser.error(f"--json: {options.json} is no place for a file")
    # As in an installation: Django would keep every statement in mind, and a migration tell each of its steps.
    settings.DEBUG = False
    logging.getLogger("pam").setLevel(logging.WARNING)
    scale, facts = Scale(options.rows), machine()
    print(described(facts))
    if scale.rows < BELIEVED:
        print(f"\nWith fewer than {BELIEVED:,} rows this shows that everything works, and nothing of its speed.")
    figures: dict[str, Figure] = {}
    seconds: dict[str, float] = {}
    bar = tqdm(options.only, unit="figure", leave=False, disable=not sys.stderr.isatty())
    for letter in bar:
        bar.set_description(letter)
        began = time.perf_counter()
        figures[letter] = FIGURES[letter](scale, bar.set_postfix_str)
        seconds[letter] = time.perf_counter() - began
        with bar.external_write_mode(sys.stdout):
            print(f"\n{markdown(letter, figures[letter])}", flush=True)
    if options.json:
        _write(options.json, scale, facts, figures, seconds)
    if options.charts:
        # Only here, and only now: the library is slow to load.
        from tests.benchmarks.charts import draw

        draw(figures, options.charts)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="python -m tests.benchmarks", description="What menshun costs, as ratios of one run.")
    parser.add_argument(
        "--rows", type=_rows, default=ROWS, metavar="N", help=f"audit rows; sessions are a quarter; default: {ROWS:,}"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="all figures, and the machine, for a program")
    parser.add_argument("--charts", type=Path, metavar="DIR", help="figures c, d and f as SVG")
    parser.add_argument(
        "--only", type=_letters, default=list(FIGURES), metavar="a,c", help=f"of {', '.join(FIGURES)}; default: all"
    )
    return parser


def _rows(text: str) -> int:
    if not text.isdecimal() or int(text) < FEWEST:
        raise ArgumentTypeError(f"{text!r} is not a number of rows from {FEWEST:,} on.")
    return int(text)


def _letters(text: str) -> list[str]:
    letters = text.split(",")
    if unknown := [letter for letter in letters if letter not in FIGURES]:
        raise ArgumentTypeError(f"No figure is called {', '.join(unknown)}. There are: {', '.join(FIGURES)}")
    return letters


def _write(
    file: Path, scale: Scale, facts: dict[str, Any], figures: dict[str, Figure], seconds: dict[str, float]
) -> None:
    document = {
        "format": FORMAT,
        "rows": scale.rows,
        "machine": facts,
        "figures": {letter: {**asdict(figure), "seconds": seconds[letter]} for letter, figure in figures.items()},
    }
    file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
