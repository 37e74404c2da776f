"""`manage.py pam_analyze`: ANALYZE where it is due, of whole partitioned tables too, which autovacuum never does."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, Error, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from tqdm import tqdm

from pam.health.statistics import due
from pam.management.interrupts import sigterm_as_interrupt
from pam.monitoring.examine import LONGEST_MS, oids, table_names
from pam.postgres.analyze import analyze
from pam.postgres.errors import QUERY_CANCELED, MenshunError, TableMissing, build_failed, run_again, sqlstate
from pam.postgres.locks import is_open, read_only
from pam.postgres.server_state import TableStatistics, server_state


class Stopped(MenshunError):
    """Somebody stopped it; what is analyzed stays so."""


class Command(BaseCommand):
    """Look what is due, do it table by table."""

    help = "Gathers statistics where they are missing or rows were changed since; beside readers and writers."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--all", action="store_true", help="due or not")
        parser.add_argument("--dry-run", action="store_true", help="say what would be analyzed, and do nothing")
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS, choices=tuple(connections))

    def handle(self, *, database: str, **options: Any) -> None:
        connection, again = connections[database], f"python manage.py pam_analyze --database {database}"
        tables = self._look(connection, again)
        wanted = sorted(tables, key=lambda table: table.is_partitioned) if options["all"] else due(tables)
        if options["dry_run"]:
            for table in wanted:
                self.stdout.write(f"{table}: would be analyzed")
            return
        done = 0
        with (
            sigterm_as_interrupt(),
            run_again(again),
            tqdm(
                total=sum(table.bytes for table in wanted),
                unit="B",
                unit_scale=True,
                leave=False,
                disable=not sys.stderr.isatty(),
            ) as bar,
        ):
            for table in wanted:
                bar.set_description(str(table))
                try:
                    analyze(connection, table.oid)
                except KeyboardInterrupt as interrupt:
                    raise Stopped(
                        f"Stopped at {table}; {done} of {len(wanted)} are analyzed. To go on from there: {again}"
                    ) from interrupt
                except Error as error:
                    raise build_failed(
                        error, f"ANALYZE of {table}", is_open(connection), f"{done} of {len(wanted)} are analyzed."
                    ) from error
                bar.update(table.bytes)
                done += 1
        self.stdout.write(f"{done} of {len(tables)} tables and partitions analyzed")

    def _look(self, connection: BaseDatabaseWrapper, again: str) -> tuple[TableStatistics, ...]:
        """What is known of the tables. Somebody's ACCESS EXCLUSIVE lock is waited for as long as `pam_status` waits."""
        try:
            with run_again(again), read_only(connection, LONGEST_MS):
                wanted = oids(connection, table_names())
                if not wanted:
                    raise TableMissing(table_names()[0])
                return server_state(connection, wanted).statistics
        except OperationalError as error:
            if sqlstate(error) != QUERY_CANCELED:
                raise
            raise CommandError(
                f"Somebody keeps readers out of a table, and nothing was analyzed. See who: "
                f"python manage.py pam_plan --database {connection.alias}. Then run it again: {again}"
            ) from error
