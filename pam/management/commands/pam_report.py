"""`manage.py pam_report`: the state of a database on one page of HTML, for a change ticket."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, connections
from django.utils import timezone

from pam.management.arguments import size
from pam.monitoring.report import page, report


class Command(BaseCommand):
    """Gather, write."""

    help = (
        "State, phases, months, sizes, indexes, named queries, findings and settings on one page of HTML, which needs "
        "nothing else to be read or printed. Runs the named queries, read-only."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--output", type=Path, metavar="FILE.html", help="default: printed")
        parser.add_argument("--memory", type=size, metavar="SIZE", help="of the server's machine, as in pam_settings")
        parser.add_argument(
            "--budget", type=size, default=settings.PAM_SIZE_BUDGET, metavar="SIZE", help="as in pam_sizes"
        )
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS, choices=tuple(connections))

    def handle(self, *, database: str, output: Path | None, **options: Any) -> None:
        if output and (output.is_dir() or not output.parent.is_dir()):
            raise CommandError(f"{output} is no place for a file. Name one in a folder that is there: --output FILE")
        found = report(database, timezone.now(), memory=options["memory"], budget=options["budget"])
        if output is None:
            self.stdout.write(page(found))
            return
        try:
            output.write_text(page(found), encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{output} cannot be written: {error}. Name another: --output FILE") from error
        self.stdout.write(f"{output}: {len(found.findings)} findings, {len(found.slow)} queries that break a promise")
