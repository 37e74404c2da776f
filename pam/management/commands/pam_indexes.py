"""`manage.py pam_indexes`: what each index is used for, which nobody needs, and the migration that drops those."""

import json
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DEFAULT_DB_ALIAS, Error, connections
from django.template.defaultfilters import filesizeformat
from django.utils import timezone

from pam.health.indexes import Facts, Judgement
from pam.management.drop_migration import place_in_model, write_drop_migration
from pam.management.findings import as_json, write_findings
from pam.monitoring.declared_indexes import Declared
from pam.monitoring.index_report import command, index_report
from pam.postgres.counters import COULD_NOT_TELL
from pam.postgres.errors import said
from pam.postgres.index_usage import IndexUsage


class Command(BaseCommand):
    """Gather, judge, show, write."""

    help = (
        "Indexes: size, scans, bloat, what each is for; unused, duplicate, bloated and INVALID ones. Exits with 0 if "
        "there is no finding, or the migration is written; 1 if there are findings; 2 if it could not tell."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="for a program")
        parser.add_argument(
            "--write-migration", action="store_true", help="a reversible migration that drops what nobody needs"
        )
        parser.add_argument(
            "--also",
            action="append",
            default=[],
            metavar="ALIAS",
            choices=tuple(connections),
            help="a replica, which counts its own scans; may be given again",
        )
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS, choices=tuple(connections))

    def handle(self, *, database: str, also: list[str], **options: Any) -> None:
        if len({database, *also}) <= len(also):
            raise CommandError(
                "Each database counts once. Name each replica once, and not the database itself: "
                + command(database, sorted(set(also) - {database})),
                returncode=COULD_NOT_TELL,
            )
        try:
            self._handle(database, also, options)
        except Error as error:
            raise CommandError(
                f"The indexes of {database} could not be looked at: {said(error)}\n"
                f"Try again: {command(database, also)}",
                returncode=COULD_NOT_TELL,
            ) from error

    def _handle(self, database: str, also: list[str], options: dict[str, Any]) -> None:
        found = index_report(connections[database], also, timezone.now())
        facts, judgement, lines, declared = found.facts, found.judgement, found.lines, found.declared
        drops = [(declared[one.oid], finding.evidence) for one, finding in judgement.proposed if one.oid in declared]
        drops.sort(key=lambda drop: (drop[0].model, drop[0].index))
        file = write_drop_migration(found.loader, drops) if options["write_migration"] and drops else None
        places = sorted(f"{place_in_model(one)}: {one.index}" for one, _ in drops) if file else []
        if options["json"]:
            document = _document(facts, judgement, lines, file, places)
            self.stdout.write(json.dumps(document, indent=2, cls=DjangoJSONEncoder))
        else:
            self._show(facts, judgement, lines)
            self._tell(file, places, judgement, declared)
        if options["write_migration"] and file is None:
            raise CommandError(
                "No migration is written: of the indexes that models declare, none is proposed to be dropped. "
                f"What each is for, and what else was found: {command(database, also)}"
            )
        if judgement.findings and file is None:
            raise CommandError(f"{len(judgement.findings)} findings about indexes, each named above with its cure.")

    def _show(self, facts: Facts, judgement: Judgement, lines: Sequence[str]) -> None:
        table: list[tuple[str, ...]] = [("index", "table", "size", "scans", "last scan", "bloat", "for")]
        table += [_row(one, judgement) for one in facts.indexes]
        widths = [max(len(row[column]) for row in table) for column in range(len(table[0]) - 1)]
        for row in table:
            name, *rest = (f"{text:{width}}" for text, width in zip(row[:2], widths[:2], strict=True))
            figures = (f"{text:>{width}}" for text, width in zip(row[2:-1], widths[2:], strict=True))
            self.stdout.write("  ".join([name, *rest, *figures, row[-1]]))
        for line in lines:
            self.stdout.write(line)
        write_findings(self, judgement.findings)

    def _tell(
        self, file: Path | None, places: Sequence[str], judgement: Judgement, declared: Mapping[int, Declared]
    ) -> None:
        if file is None:
            return
        self.stdout.write(self.style.SUCCESS(f"Written: {file}"))
        self.stdout.write("Delete these lines of the models, or makemigrations brings the indexes back:")
        for place in places:
            self.stdout.write(f"  {place}")
        self.stdout.write("Then: python manage.py makemigrations --check && python manage.py migrate")
        for one, finding in judgement.proposed:
            if one.oid not in declared:
                self.stdout.write(f"Not in it, since no model declares it: {one.quoted}. By hand: {finding.cure}")


def _row(one: IndexUsage, judgement: Judgement) -> tuple[str, ...]:
    state = "being built" if one.is_being_built and one.invalid else "INVALID" if one.invalid else ""
    purposes = ", ".join(judgement.purposes[one.oid]) or "nobody"
    return (
        one.name,
        one.index.table,
        filesizeformat(one.bytes),
        f"{one.scans:,}",
        f"{one.last_scan:%Y-%m-%d %H:%M}" if one.last_scan else "-",
        "-" if one.bloat.share is None else f"{one.bloat.share:.0%}",
        f"{state}; {purposes}" if state else purposes,
    )


def _document(
    facts: Facts, judgement: Judgement, lines: Sequence[str], file: Path | None, places: Sequence[str]
) -> dict[str, Any]:
    return {
        "servers": [{**asdict(server), "since": server.since} for server in facts.servers],
        "indexes": [
            {
                "index": one.quoted,
                "table": one.index.table,
                "definition": one.index.statement,
                "bytes": one.bytes,
                "scans": one.scans,
                "last_scan": one.last_scan,
                "made_before": one.made_before,
                "bloat": asdict(one.bloat),
                "invalid": one.invalid,
                "for": judgement.purposes[one.oid],
            }
            for one in facts.indexes
        ],
        "remarks": list(lines),
        "findings": as_json(judgement.findings),
        "migration": str(file) if file else None,
        "lines_to_delete": list(places),
    }
