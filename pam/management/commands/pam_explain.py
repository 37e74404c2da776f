"""`manage.py pam_explain [NAME…]`: the named queries' plans against what each promises."""

import json
from argparse import ArgumentParser, ArgumentTypeError
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.management import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, Error, connections

from pam.explain.judge import Verdict, judge
from pam.explain.plans import Facts, explain
from pam.explain.sample import Sample
from pam.models.reports import REPORTS
from pam.postgres import catalog
from pam.postgres.errors import TableMissing, sqlstate
from pam.postgres.locks import read_only
from pam.workload import QUERIES

TIMEOUT_MS = 60_000
# What the server takes.
LONGEST_MS = (1 << 31) - 1
# What a query that was explained has in the file; one that failed has not.
FIELDS = {field.name for field in fields(Facts)}
# Who reads the file with --against must know what it says.
FORMAT = 2


class Command(BaseCommand):
    """Explain, judge, compare."""

    help = "EXPLAIN of the queries that matter: index, partitions, rows, buffers, each against its bound."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help="queries; default: all")
        parser.add_argument("--analyze", action="store_true", help="run them, read-only, and count buffers and rows")
        parser.add_argument(
            "--timeout", type=_milliseconds, default=TIMEOUT_MS, metavar="MS", help="for each; default: 60000"
        )
        parser.add_argument("--json", action="store_true", help="for a program")
        parser.add_argument("--save", type=Path, metavar="FILE", help="keep the facts")
        parser.add_argument("--against", type=Path, metavar="FILE", help="compare with facts that were kept before")
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS, choices=tuple(connections))

    def handle(self, *, names: list[str], database: str, **options: Any) -> None:
        unknown = sorted(set(names) - QUERIES.keys())
        if unknown:
            raise CommandError(f"No query is called {', '.join(unknown)}. There are: {', '.join(sorted(QUERIES))}")
        _require_place(options["save"])
        _require_tables(database)
        before = _read(options["against"]) if options["against"] else None
        verdicts = _verdicts(database, names or list(QUERIES), options["analyze"], options["timeout"])
        if options["save"]:
            options["save"].write_text(json.dumps(_document(verdicts, {}), indent=2), encoding="utf-8")
        if options["json"]:
            document = {**_document(verdicts, before or {}), "unneeded": _unneeded(database)}
            self.stdout.write(json.dumps(document, indent=2))
        elif before is not None:
            self._compare(verdicts, before)
        else:
            for verdict in verdicts:
                self._show(verdict)
        if not names and not options["json"]:
            unneeded = _unneeded(database)
            self.stdout.write(f"{len(unneeded)} indexes that no named query needs: {', '.join(unneeded)}")
        failed = [verdict.name for verdict in verdicts if not verdict.passes]
        if failed:
            raise CommandError(
                f"{len(failed)} of {len(verdicts)} queries do not keep their promise: {', '.join(failed)}"
            )

    def _show(self, verdict: Verdict) -> None:
        word = self.style.SUCCESS("ok  ") if verdict.passes else self.style.ERROR("FAIL")
        self.stdout.write(f"{word} {verdict.name:32} {_told(verdict)}")
        for text in (*verdict.findings, *verdict.remarks):
            self.stdout.write(f"       {text}")

    def _compare(self, verdicts: list[Verdict], before: dict[str, Any]) -> None:
        for verdict in verdicts:
            self._show(verdict)
            facts, old = verdict.facts, before.get(verdict.name, {})
            if not facts or FIELDS - old.keys():
                continue
            rows = [("", "before", "now"), *_side_by_side(old, facts)]
            widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
            for what, then, now in rows:
                self.stdout.write(f"       {what:{widths[0]}}  {then:{widths[1]}}  {now}")


def _require_tables(alias: str) -> None:
    connection = connections[alias]
    for model in apps.get_app_config("pam").get_models():
        # No named query reads a report, and phase 3, which makes them, may not be there.
        if model in REPORTS:
            continue
        if catalog.relation(connection, connection.ops.quote_name(model._meta.db_table)) is None:
            raise TableMissing(model._meta.db_table)


def _verdicts(alias: str, names: list[str], analyze: bool, timeout_ms: int) -> list[Verdict]:
    sample, there = Sample(alias), _indexes(alias)
    verdicts = []
    for name in names:
        query = QUERIES[name]
        try:
            with read_only(connections[alias], timeout_ms):
                rows = query.build(sample)
            facts = explain(alias, rows, analyze=analyze, timeout_ms=timeout_ms)
        except Error as error:
            told = f"the server said: {str(error).strip()} (SQLSTATE {sqlstate(error)})"
            verdicts.append(Verdict(name, (told,), (), None, None))
        else:
            verdicts.append(judge(query, facts, there))
    return verdicts


def _unneeded(alias: str) -> list[str]:
    """Ours that no named query asks for: a finding about the list of queries as much as about the indexes."""
    needed = {name for query in QUERIES.values() for name in query.indexes}
    return sorted(name for name in _indexes(alias) - needed if name.startswith("ix_"))


def _indexes(alias: str) -> set[str]:
    """The valid indexes of the tables that this session sees, those of partitions left out."""
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid"
            " WHERE x.indisvalid AND NOT c.relispartition AND pg_catalog.pg_table_is_visible(c.oid)"
        )
        return {name for (name,) in cursor.fetchall()}


def _told(verdict: Verdict) -> str:
    facts = verdict.facts
    if facts is None:
        return ""
    told = [", ".join(facts.indexes) or "scan", f"{facts.partitions} of {facts.partitions_there} partitions"]
    if facts.actual_rows is not None:
        told += [f"{facts.actual_rows:,} rows (expected {facts.planned_rows:,})"]
        told += [f"{facts.buffers:,} of {verdict.bound:,} buffers", f"{facts.milliseconds:.1f} ms"]
    return "; ".join(told)


def _side_by_side(old: dict[str, Any], facts: Facts) -> list[tuple[str, ...]]:
    """What is compared, as it was before, as it is now. Rows, buffers and time are there if both were analyzed."""
    now = asdict(facts)
    told: list[tuple[str, ...]] = [
        ("plan", *(", ".join(one["indexes"]) or f"scan of {one['scanned_pages']:,} pages" for one in (old, now))),
        ("partitions", *(f"{one['partitions']} of {one['partitions_there']}" for one in (old, now))),
    ]
    for what, key in (("rows", "actual_rows"), ("buffers", "buffers")):
        if old[key] is not None and now[key] is not None:
            told.append((what, f"{old[key]:,}", f"{now[key]:,}"))
    if old["milliseconds"] and facts.milliseconds:
        told.append(("time", "1", f"x {facts.milliseconds / old['milliseconds']:.2f}"))
    return told


def _document(verdicts: list[Verdict], before: dict[str, Any]) -> dict[str, Any]:
    queries = {
        verdict.name: {
            **(asdict(verdict.facts) if verdict.facts else {}),
            "findings": verdict.findings,
            "bound": verdict.bound,
            **({"before": before[verdict.name]} if verdict.name in before else {}),
        }
        for verdict in verdicts
    }
    return {"format": FORMAT, "queries": queries}


def _read(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CommandError(
            f"{file} cannot be read: {error}. Make one: python manage.py pam_explain --save {file}"
        ) from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise CommandError(f"{file} was not made by pam_explain. Make one: python manage.py pam_explain --save {file}")
    queries = document.get("queries")
    if not isinstance(queries, dict) or not all(isinstance(facts, dict) for facts in queries.values()):
        raise CommandError(f"{file} is damaged. Make it anew: python manage.py pam_explain --save {file}")
    return queries


def _require_place(file: Path | None) -> None:
    """Before anything is asked: what was measured shall not be lost."""
    if file and (file.is_dir() or not file.parent.is_dir()):
        raise CommandError(f"{file} is no place for a file. Name one in a folder that is there: --save FILE")


def _milliseconds(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= LONGEST_MS:
        raise ArgumentTypeError(f"{text!r} is no number of milliseconds from 1 to {LONGEST_MS}.")
    return int(text)
