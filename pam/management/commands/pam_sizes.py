"""`manage.py pam_sizes`: how large everything is, how fast it grows, and when a disk or a budget is full."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, Error, connections
from django.utils import timezone
from django.utils.text import capfirst

from pam.management.arguments import size
from pam.management.findings import write_findings
from pam.management.sizes_shown import as_document, lines
from pam.monitoring.charts import write_growth
from pam.monitoring.size_history import keep, measure
from pam.monitoring.size_report import SizeReport, report
from pam.postgres.errors import MenshunError, run_again, said

FORMATS = (".svg", ".png")
FINDINGS, UNKNOWN = 1, 2


class Command(BaseCommand):
    """Measure, keep, judge, show. Exit: 0 all is well, 1 there are findings, 2 something could not be told."""

    help = (
        "Sizes of tables, indexes, TOAST and the database, partitions with their table; growth by the snapshots that "
        "--snapshot keeps, best every day; when the disk or a budget is full; which month is out of the pattern."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--snapshot", action="store_true", help="keep one, unless the last is less than an hour old"
        )
        parser.add_argument("--json", action="store_true", help="for a program; sizes in bytes")
        parser.add_argument(
            "--budget",
            type=size,
            default=settings.PAM_SIZE_BUDGET,
            metavar="SIZE",
            help="how large the database may become, such as 50GB; default: PAM_SIZE_BUDGET of the environment",
        )
        parser.add_argument("--chart", type=Path, metavar="FILE", help="the curves, as .svg or .png")
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS, choices=tuple(connections))

    def handle(self, *, database: str, **options: Any) -> None:
        if options["chart"]:
            _require_place(options["chart"])
        at = "" if database == DEFAULT_DB_ALIAS else f" --database {database}"
        again = f"python manage.py pam_sizes{' --snapshot' if options['snapshot'] else ''}{at}"
        now = timezone.now()
        try:
            with run_again(again):
                measured = measure(database)
                near = keep(database, measured, now) if options["snapshot"] else None
                found = report(database, measured, now, options["budget"])
        except MenshunError as error:
            error.returncode = UNKNOWN
            raise
        except Error as error:
            told = f"{capfirst(said(error))} Then run it again: {again}"
            raise CommandError(told, returncode=UNKNOWN) from error
        if options["chart"]:
            _draw(options["chart"], found)
        if options["json"]:
            kept = options["snapshot"] and near is None
            self.stdout.write(json.dumps(as_document(found, kept=kept), indent=2))
        else:
            for line in lines(found, getattr(self.stdout, "encoding", None)):
                self.stdout.write(line)
            if near:
                self.stdout.write(f"No snapshot was kept: that of {near:%Y-%m-%d %H:%M} UTC is less than an hour away.")
            write_findings(self, found.findings)
        if found.findings:
            raise CommandError(f"{len(found.findings)} findings, each named above with its cure.", returncode=FINDINGS)
        if found.unknown:
            raise CommandError("\n".join(found.unknown), returncode=UNKNOWN)


def _draw(file: Path, found: SizeReport) -> None:
    try:
        write_growth(file, found.curves, found.growth, found.ceilings)
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error}. Name another file: --chart FILE") from error


def _require_place(file: Path) -> None:
    """Before anything is measured or kept."""
    if file.suffix.lower() not in FORMATS:
        raise CommandError(f"{file} is no .svg and no .png. Name the chart by one of them: --chart sizes.svg")
    if file.is_dir() or not file.parent.is_dir():
        raise CommandError(f"{file} is no place for a file. Name one in a folder that is there: --chart FILE")
