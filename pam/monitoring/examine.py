"""Look at a database once, and judge what was seen."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from django.apps import apps
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from psqlextra.models import PostgresViewModel

from pam.health.finding import Finding
from pam.health.months import MonthlyFacts, judge_months
from pam.health.phases import Phase, Recorded, judge_of_no_phase, judge_phases, phases, recorded
from pam.health.reports import judge_reports
from pam.health.schema import half_applied, judge_schema
from pam.health.server import judge_server
from pam.health.statistics import judge_statistics
from pam.models.reports import ages
from pam.partitions.tables import tables as monthly_tables
from pam.postgres import catalog
from pam.postgres.inventory import inventory
from pam.postgres.locks import read_only
from pam.postgres.monthly_catalog import months_of
from pam.postgres.monthly_default import months_in_default
from pam.postgres.online_copy import capture
from pam.postgres.server_state import ServerState, server_state
from pam.postgres.view_age import ViewAge

# Who waits longer waits for somebody's ACCESS EXCLUSIVE lock.
LONGEST_MS = 10_000


@dataclass(frozen=True)
class Examination:
    """What was seen, what is wrong with it, and what could not be seen, a sentence each."""

    phases: tuple[Phase, ...]
    migrations: tuple[Recorded, ...]
    months: tuple[MonthlyFacts, ...]
    server: ServerState
    reports: tuple[ViewAge, ...]
    findings: tuple[Finding, ...]
    unknown: tuple[str, ...]


def examine(connection: BaseDatabaseWrapper, now: datetime, *, statement_ms: int | None = None) -> Examination:
    """The state of the database behind a connection, as of the clock that is passed in.

    Read-only, also on a standby. Locks: ACCESS SHARE on the tables for a moment; who is kept out by somebody's ACCESS
    EXCLUSIVE lock for `statement_ms`, or ten seconds, gets Django's OperationalError (SQLSTATE 57014).
    """
    with read_only(connection, statement_ms or LONGEST_MS):
        loader = MigrationLoader(connection, ignore_no_migrations=True)
        # The stubs take what is recorded for the migration itself.
        rows = cast("dict[tuple[str, str], Any]", loader.applied_migrations)
        times = {name: row.applied for (app, name), row in rows.items() if app == "pam"}
        applied = set(times)
        known = {name for app, name in loader.disk_migrations if app == "pam"}
        wanted = oids(connection, table_names())
        parts = inventory(connection, wanted)
        server = server_state(connection, wanted)
        months = tuple(monthly_facts(connection))
        reports = tuple(ages(connection.alias))
    half = half_applied(parts, applied)
    found = phases(known, applied, half)
    findings = [
        *judge_phases(found, connection.alias),
        *judge_of_no_phase(half, connection.alias),
        *judge_schema(parts, applied, connection.alias),
        *(finding for table in months for finding in judge_months(table, now)),
        *judge_server(server, applied, now),
        *judge_statistics(server.statistics, connection.alias, now),
        *judge_reports(reports, applied, connection.alias, now),
    ]
    told = tuple(recorded(known, times))
    return Examination(tuple(found), told, months, server, reports, tuple(findings), tuple(_unknown(server)))


def table_names() -> list[str]:
    """The tables of the models, views left out."""
    models = apps.get_app_config("pam").get_models()
    return sorted(model._meta.db_table for model in models if not issubclass(model, PostgresViewModel))


def oids(connection: BaseDatabaseWrapper, names: Iterable[str]) -> list[int]:
    """The oids of the tables that this session sees under these names."""
    found = (catalog.relation(connection, connection.ops.quote_name(name)) for name in names)
    return [relation.oid for relation in found if relation]


def monthly_facts(connection: BaseDatabaseWrapper) -> list[MonthlyFacts]:
    """The facts of the tables that are monthly, or are to be. Reads their default partitions."""
    found = []
    for table in monthly_tables(connection.alias):
        if catalog.relation(connection, table.layout.table) is None:
            continue
        move = table.move
        found.append(
            MonthlyFacts(
                alias=connection.alias,
                table=str(move.source),
                is_partitioned=move.source.is_partitioned,
                is_converting=capture.recorded(connection, move) is not None,
                partitions=tuple(months_of(connection, move.source)),
                rows_in_default=sum(months_in_default(connection, move).values()),
            )
        )
    return found


def _unknown(server: ServerState) -> list[str]:
    told = []
    if server.hidden:
        told.append(
            f"{server.hidden} sessions are other roles', and what they do is hidden from this one, which is not in "
            "pg_read_all_stats: long transactions among them were not looked for. A superuser can: "
            "GRANT pg_monitor TO this role"
        )
    unread = [str(table) for table in server.statistics if not table.is_readable]
    if unread:
        told.append(f"This role may not read {', '.join(unread[:3])}, so that the statistics there are hidden from it")
    return told
