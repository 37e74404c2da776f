"""`manage.py pam_status`: is this database as the migrations left it, and is it well?"""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, Error, connections
from django.utils import timezone

from pam.health.months import told
from pam.management.findings import as_json, write_findings
from pam.monitoring.examine import Examination, examine
from pam.postgres.errors import said

FINDINGS, COULD_NOT_TELL = 1, 2


class Command(BaseCommand):
    """Examine, print."""

    help = "Phases, schema, months and server against what they should be. Exit code 1: findings; 2: could not tell."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="for a program")
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS, choices=tuple(connections))

    def handle(self, *, database: str, **options: Any) -> None:
        now = timezone.now()
        try:
            found = examine(connections[database], now)
        except Error as error:
            raise CommandError(
                f"It could not be told: {said(error)} Try again: python manage.py pam_status --database {database}",
                returncode=COULD_NOT_TELL,
            ) from error
        if options["json"]:
            self.stdout.write(json.dumps(_document(found), indent=2, default=str))
        else:
            self._show(found, now)
        if found.findings:
            raise CommandError(f"{len(found.findings)} findings", returncode=FINDINGS)

    def _show(self, found: Examination, now: datetime) -> None:
        for phase in found.phases:
            self.stdout.write(f"phase {phase.number}  {phase.state:14} {phase.about}")
        for table in found.months:
            self.stdout.write(told(table, now))
        for report in found.reports:
            if found.phases[-1].state == "applied":
                at = report.refreshed_at
                self.stdout.write(f"{report.view}: " + (f"as of {at:%Y-%m-%d %H:%M} UTC" if at else report.filling))
        for sentence in found.unknown:
            self.stdout.write(self.style.NOTICE(f"not seen: {sentence}"))
        write_findings(self, found.findings)
        if not found.findings:
            self.stdout.write(self.style.SUCCESS("well"))


def _document(found: Examination) -> dict[str, Any]:
    return {
        "well": not found.findings,
        "phases": [asdict(phase) for phase in found.phases],
        "tables": [
            {
                "table": table.table,
                "is_partitioned": table.is_partitioned,
                "is_converting": table.is_converting,
                "rows_in_default": table.rows_in_default,
                "partitions": [
                    {"name": one.relation.name, "bound": one.bound, "rows": one.rows, "bytes": one.bytes}
                    for one in table.partitions
                ],
            }
            for table in found.months
        ],
        "reports": [asdict(report) for report in found.reports],
        "findings": as_json(found.findings),
        "unknown": found.unknown,
    }
