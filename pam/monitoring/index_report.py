"""All that is known of the indexes of one database: gathered, and judged."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime

from django.apps import apps
from django.conf import settings
from django.core.management import CommandError
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from psqlextra.models import PostgresViewModel

from pam.health.expected import changes
from pam.health.indexes import Facts, Judgement, Terms, counted_since, is_bloated, judge
from pam.monitoring.declared_indexes import APP, Declared, awaited_drops, declared_indexes
from pam.postgres import catalog
from pam.postgres.catalog import Relation
from pam.postgres.counters import COULD_NOT_TELL, require_replicas
from pam.postgres.index_bloat import ESTIMATE, MEASURED, measured
from pam.postgres.index_usage import IndexUsage, foreign_keys, index_usage, may_read
from pam.postgres.locks import read_only
from pam.workload import QUERIES

# For a look at the catalog, and for reading one index as a whole where pgstattuple is installed.
TIMEOUT_MS = 60_000
# The migrations that made what the lists of the admin are ordered, filtered and searched by.
LISTS = ("0022_list_indexes", "0023_search_indexes", "0025_rotation_list_index")


@dataclass(frozen=True)
class IndexReport:
    """Facts and judgement; `lines` is what to know of them, or could not be told, each a sentence.

    `declared` are the indexes that models declare, by oid, as `loader` has the migrations.
    """

    facts: Facts
    judgement: Judgement
    lines: Sequence[str]
    declared: Mapping[int, Declared]
    loader: MigrationLoader


def index_report(
    connection: BaseDatabaseWrapper,
    also: Sequence[str],
    now: datetime,
    *,
    timeout_ms: int | None = None,
    measure: bool = True,
) -> IndexReport:
    """Look at the indexes of a database, with the scans that the replicas behind the aliases `also` counted.

    `timeout_ms` is for each statement, a minute if None; without `measure` bloat is estimated only, no index read as a
    whole.
    Read-only. Locks: ACCESS SHARE for a moment. Raises CommandError where there is no table, or `also` is no replica.
    """
    tables, missing = _tables(connection)
    limit = timeout_ms or TIMEOUT_MS
    journal = catalog.relation(connection, connection.ops.quote_name(MigrationRecorder.Migration._meta.db_table))
    readable = journal is not None and may_read(connection, journal)
    facts = _facts(connection, also, tables, journal, limit)
    if measure:
        facts = _measured(connection, facts, limit)
    loader = MigrationLoader(connection if readable else None)
    declared = _declared(loader, tables, facts)
    judgement = judge(facts, _terms(loader, declared, facts, command(connection.alias, also), now))
    lines = [*missing, *([] if readable else [_unreadable(connection.alias)]), *_remarks(facts, judgement)]
    return IndexReport(facts, judgement, lines, declared, loader)


def command(database: str, also: Sequence[str]) -> str:
    return "python manage.py pam_indexes" + "".join(f" --also {alias}" for alias in also) + _on(database)


def _on(database: str) -> str:
    return f" --database {database}" if database != DEFAULT_DB_ALIAS else ""


def _tables(connection: BaseDatabaseWrapper) -> tuple[list[Relation], list[str]]:
    """The tables of the app that this session sees, and a line for each that it does not."""
    tables, missing = [], []
    for model in apps.get_app_config(APP).get_models(include_auto_created=True):
        table = catalog.relation(connection, connection.ops.quote_name(model._meta.db_table))
        if table is not None and table.kind in (catalog.PLAIN, catalog.PARTITIONED):
            tables.append(table)
        # What a view has an index for is its refresh, and its list.
        elif model._meta.managed and not model._meta.proxy and not issubclass(model, PostgresViewModel):
            missing.append(f"Not looked at: there is no table {model._meta.db_table} in this session's search_path.")
    if not tables:
        raise CommandError(
            f"None of the tables is in the search_path of {connection.alias}, so nothing can be told. "
            f"See what is applied: python manage.py showmigrations {APP} --database {connection.alias}",
            returncode=COULD_NOT_TELL,
        )
    return tables, missing


def _facts(
    connection: BaseDatabaseWrapper,
    also: Sequence[str],
    tables: Sequence[Relation],
    journal: Relation | None,
    timeout_ms: int,
) -> Facts:
    replicas = [connections[alias] for alias in also]
    with ExitStack() as transactions:
        for one in (connection, *replicas):
            transactions.enter_context(read_only(one, timeout_ms))
        servers = require_replicas(connection, replicas, tables)
        return Facts(servers, index_usage(connection, replicas, tables, journal), foreign_keys(connection, tables))


def _measured(connection: BaseDatabaseWrapper, facts: Facts, timeout_ms: int) -> Facts:
    """The same, but what the estimate suspects is measured, where pgstattuple is there for it: it reads all of it."""
    indexes = [
        replace(one, bloat=measured(connection, one.oid, timeout_ms) or one.bloat) if is_bloated(one) else one
        for one in facts.indexes
    ]
    return replace(facts, indexes=tuple(indexes))


def _declared(loader: MigrationLoader, tables: Sequence[Relation], facts: Facts) -> dict[int, Declared]:
    """The indexes that the migrations know, by oid."""
    names, known = {table.oid: table.name for table in tables}, declared_indexes(loader)
    found = {one.oid: known.get((names.get(one.index.table_oid, ""), one.name)) for one in facts.indexes}
    return {oid: one for oid, one in found.items() if one}


def _lists() -> frozenset[str]:
    return frozenset(
        name for migration in LISTS for kinds in changes()[migration].values() for name in kinds.get("index", ())
    )


def _terms(loader: MigrationLoader, declared: dict[int, Declared], facts: Facts, again: str, now: datetime) -> Terms:
    awaited = awaited_drops(loader)
    queries = defaultdict(list)
    for query in QUERIES.values():
        for name in query.indexes:
            queries[name].append(query.name)

    def how_to_drop(one: IndexUsage) -> str:
        if one.oid in declared:
            return f"{again} --write-migration"
        if one.name in awaited:
            return f"python manage.py migrate{_on(facts.servers[0].alias)}  # {awaited[one.name]} drops it"
        # In one line, whatever its name is: a comment ends with the line, and the rest would be a statement.
        was = " ".join(one.index.statement.split())
        if one.index.is_partitioned:
            return f"DROP INDEX {one.quoted}; -- stops all for a moment; it was: {was}"
        return f"DROP INDEX CONCURRENTLY {one.quoted}; -- it was: {was}"

    return Terms(queries, _lists(), frozenset(declared), settings.PAM_UNUSED_INDEX_DAYS, now, how_to_drop, again)


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
