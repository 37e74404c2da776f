"""`manage.py pam_indexes`: what each index is used for, which nobody needs, and the migration that drops those."""

import json
from argparse import ArgumentParser
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DEFAULT_DB_ALIAS, Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.template.defaultfilters import filesizeformat
from django.utils import timezone

from pam.health.indexes import Facts, Judgement, Terms, counted_since, is_bloated, judge
from pam.management.drop_migration import (
    APP,
    Declared,
    awaited_drops,
    declared_indexes,
    place_in_model,
    write_drop_migration,
)
from pam.management.findings import as_json, write_findings
from pam.postgres import catalog
from pam.postgres.catalog import Relation
from pam.postgres.counters import COULD_NOT_TELL, require_replicas
from pam.postgres.errors import MenshunError, sqlstate
from pam.postgres.index_bloat import ESTIMATE, MEASURED, measured
from pam.postgres.index_usage import IndexUsage, foreign_keys, index_usage, may_read
from pam.postgres.locks import read_only
from pam.workload import QUERIES

# For a look at the catalog, and for reading one index as a whole where pgstattuple is installed.
TIMEOUT_MS = 60_000


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
                + _command(database, sorted(set(also) - {database})),
                returncode=COULD_NOT_TELL,
            )
        try:
            self._handle(database, also, options)
        except Error as error:
            # No connection is told as a sentence already.
            said = str(error).strip() + ("" if isinstance(error, MenshunError) else f" (SQLSTATE {sqlstate(error)})")
            raise CommandError(
                f"The indexes of {database} could not be looked at: {said}\nTry again: {_command(database, also)}",
                returncode=COULD_NOT_TELL,
            ) from error

    def _handle(self, database: str, also: list[str], options: dict[str, Any]) -> None:
        connection = connections[database]
        tables, missing = _tables(connection)
        journal = catalog.relation(connection, connection.ops.quote_name(MigrationRecorder.Migration._meta.db_table))
        readable = journal is not None and may_read(connection, journal)
        facts = _measured(connection, _facts(connection, also, tables, journal))
        loader = MigrationLoader(connection if readable else None)
        declared = _declared(loader, tables, facts)
        terms = _terms(loader, declared, facts, _command(database, also))
        judgement = judge(facts, terms)
        lines = [*missing, *([] if readable else [_unreadable(database)]), *_remarks(facts, judgement)]
        drops = [(declared[one.oid], finding.evidence) for one, finding in judgement.proposed if one.oid in declared]
        drops.sort(key=lambda drop: (drop[0].model, drop[0].index))
        file = write_drop_migration(loader, drops) if options["write_migration"] and drops else None
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
                f"What each is for, and what else was found: {_command(database, also)}"
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
        self, file: Path | None, places: Sequence[str], judgement: Judgement, declared: dict[int, Declared]
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


def _tables(connection: BaseDatabaseWrapper) -> tuple[list[Relation], list[str]]:
    """The tables of the app that this session sees, and a line for each that it does not."""
    tables, missing = [], []
    for model in apps.get_app_config(APP).get_models(include_auto_created=True):
        table = catalog.relation(connection, connection.ops.quote_name(model._meta.db_table))
        if table is not None and table.kind in (catalog.PLAIN, catalog.PARTITIONED):
            tables.append(table)
        elif model._meta.managed and not model._meta.proxy:
            missing.append(f"Not looked at: there is no table {model._meta.db_table} in this session's search_path.")
    if not tables:
        raise CommandError(
            f"None of the tables is in the search_path of {connection.alias}, so nothing can be told. "
            f"See what is applied: python manage.py showmigrations {APP} --database {connection.alias}",
            returncode=COULD_NOT_TELL,
        )
    return tables, missing


def _facts(
    connection: BaseDatabaseWrapper, also: Sequence[str], tables: Sequence[Relation], journal: Relation | None
) -> Facts:
    replicas = [connections[alias] for alias in also]
    with ExitStack() as transactions:
        for one in (connection, *replicas):
            transactions.enter_context(read_only(one, TIMEOUT_MS))
        servers = require_replicas(connection, replicas, tables)
        return Facts(servers, index_usage(connection, replicas, tables, journal), foreign_keys(connection, tables))


def _measured(connection: BaseDatabaseWrapper, facts: Facts) -> Facts:
    """The same, but what the estimate suspects is measured, where pgstattuple is there for it: it reads all of it."""
    indexes = [
        replace(one, bloat=measured(connection, one.oid, TIMEOUT_MS) or one.bloat) if is_bloated(one) else one
        for one in facts.indexes
    ]
    return replace(facts, indexes=tuple(indexes))


def _declared(loader: MigrationLoader, tables: Sequence[Relation], facts: Facts) -> dict[int, Declared]:
    """The indexes that the migrations know, by oid."""
    names, known = {table.oid: table.name for table in tables}, declared_indexes(loader)
    found = {one.oid: known.get((names.get(one.index.table_oid, ""), one.name)) for one in facts.indexes}
    return {oid: one for oid, one in found.items() if one}


def _terms(loader: MigrationLoader, declared: dict[int, Declared], facts: Facts, command: str) -> Terms:
    awaited = awaited_drops(loader)
    queries = defaultdict(list)
    for query in QUERIES.values():
        for name in query.indexes:
            queries[name].append(query.name)

    def how_to_drop(one: IndexUsage) -> str:
        if one.oid in declared:
            return f"{command} --write-migration"
        if one.name in awaited:
            return f"python manage.py migrate{_on(facts.servers[0].alias)}  # {awaited[one.name]} drops it"
        # In one line, whatever its name is: a comment ends with the line, and the rest would be a statement.
        was = " ".join(one.index.statement.split())
        if one.index.is_partitioned:
            return f"DROP INDEX {one.quoted}; -- stops all for a moment; it was: {was}"
        return f"DROP INDEX CONCURRENTLY {one.quoted}; -- it was: {was}"

    return Terms(queries, frozenset(declared), settings.PAM_UNUSED_INDEX_DAYS, timezone.now(), how_to_drop, command)


def _remarks(facts: Facts, judgement: Judgement) -> Iterator[str]:
    since = counted_since(facts.servers)
    told = f"since {since:%Y-%m-%d %H:%M} UTC" if since else "nobody knows since when"
    yield f"Scans: of {', '.join(server.alias for server in facts.servers)}, {told}."
    sources = sorted({one.bloat.source for one in facts.indexes if one.bloat.bytes is not None})
    ways = {
        ESTIMATE: "estimated from pg_stats as check_postgres and ioguix's pgsql-bloat-estimation do, B-trees only",
        MEASURED: "measured by pgstatindex where the estimate was high",
    }
    if sources:
        yield f"Bloat: {'; '.join(ways[source] for source in sources)}."
    unknown = _by_reason((one.bloat.source, one) for one in facts.indexes if one.bloat.bytes is None)
    for reason, indexes in unknown.items():
        yield f"Bloat of {len(indexes)} indexes unknown (-): {reason}."
    for reason, indexes in _by_reason((why, one) for one, why in judgement.too_early).items():
        yield f"Without a scan, but {reason}, so not called unused: {', '.join(one.name for one in indexes)}."


def _by_reason(told: Iterable[tuple[str, IndexUsage]]) -> dict[str, list[IndexUsage]]:
    indexes = defaultdict(list)
    for reason, one in told:
        indexes[reason].append(one)
    return dict(sorted(indexes.items()))


def _unreadable(database: str) -> str:
    table = MigrationRecorder.Migration._meta.db_table
    return (
        f"How old an index is cannot be told: {table} of {database} is not there, or this role may not read it: "
        f"GRANT SELECT ON {table} TO <role>"
    )


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


def _command(database: str, also: Sequence[str]) -> str:
    return "python manage.py pam_indexes" + "".join(f" --also {alias}" for alias in also) + _on(database)


def _on(database: str) -> str:
    return f" --database {database}" if database != DEFAULT_DB_ALIAS else ""
