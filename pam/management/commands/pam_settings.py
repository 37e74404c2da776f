"""`manage.py pam_settings`: what the server is set to, what this database wants, why, and the statements; runs none."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, Error, connections
from django.utils.text import capfirst

from pam.health.advice import Advice, Case, Status
from pam.health.settings import advise, dangers
from pam.management.arguments import size
from pam.management.findings import as_json, write_findings
from pam.monitoring.settings_case import CannotTell, gather
from pam.monitoring.settings_report import heading, notes, what_follows
from pam.postgres.errors import said

CANNOT_TELL = 2


class Command(BaseCommand):
    """Gather, judge, show. Ends with 1 if there are findings, 2 if it could not tell; advice alone is no failure."""

    help = "Settings of the server and of tables: what they are, what this database wants, why. Changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="for a program")
        parser.add_argument(
            "--memory",
            type=size,
            metavar="SIZE",
            help="of the server's machine, such as 16GB; default: if it is this one",
        )
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS, choices=tuple(connections))

    def handle(self, *, database: str, memory: int | None, **options: Any) -> None:
        try:
            case = gather(database, memory)
        except CannotTell as error:
            raise CommandError(str(error), returncode=CANNOT_TELL) from error
        except Error as error:
            again = f"python manage.py pam_settings --database {database}"
            raise CommandError(f"{capfirst(said(error))} Then look again: {again}", returncode=CANNOT_TELL) from error
        advice, findings, remarks = advise(case), dangers(case), notes(case, database)
        if options["json"]:
            document = {
                "server": _server(case),
                "advice": [asdict(one) for one in advice],
                "findings": as_json(findings),
                "notes": remarks,
            }
            self.stdout.write(json.dumps(document, indent=2))
        else:
            self.stdout.write(heading(case))
            for one in advice:
                self._show(one)
            for note in remarks:
                self.stdout.write(f"note    {note}")
            write_findings(self, findings)
            for line in what_follows(advice):
                self.stdout.write(line)
        if findings:
            raise CommandError(f"{len(findings)} settings do harm: {', '.join(one.subject for one in findings)}")

    def _show(self, one: Advice) -> None:
        word = {
            Status.OK: self.style.SUCCESS("ok     "),
            Status.CHANGE: self.style.WARNING("change "),
            Status.UNKNOWN: "?      ",
        }[one.status]
        subject = "" if one.subject == "server" else f" of {one.subject}"
        has = one.has if one.has == one.has_raw else f"{one.has} ({one.has_raw})"
        wants = f", wants {one.wants}" if one.wants else ""
        self.stdout.write(f"{word} {one.name}{subject}: has {has}{wants}")
        cannot = "Cannot tell yet. " if one.status is Status.UNKNOWN else ""
        self.stdout.write(f"          {cannot}{one.reason}")
        if one.status is not Status.OK:
            self.stdout.write(f"          Rule: {one.rule}")
        for statement in one.statements:
            self.stdout.write(f"          {statement};")


def _server(case: Case) -> dict[str, Any]:
    return {
        "version": case.server.version,
        "memory": asdict(case.machine) if case.machine else None,
        "database_bytes": case.counters.database_bytes,
        "settings": {name: one.raw for name, one in case.server.settings.items()},
    }
