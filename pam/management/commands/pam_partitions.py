"""`pam_partitions`: prepare a conversion ahead of time, see where it is, take it away; list months, drain,
drop what was detached."""

import dataclasses
import json
import shlex
from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS
from django.template.defaultfilters import filesizeformat
from django.utils import timezone

from pam.management.interrupts import sigterm_as_interrupt
from pam.partitions.status import TableStatus, status
from pam.partitions.tables import Table, owner_of, partitioned, tables
from pam.postgres import monthly_default, monthly_retired
from pam.postgres.errors import NEXT, MenshunError, run_again
from pam.postgres.online_copy import engine
from pam.postgres.run_lock import exclusive_run


class Command(BaseCommand):
    help = "Monthly partitions: prepare their conversion ahead of time, watch it, take it away; drain the default one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["prepare", "status", "abandon", "drain", "drop"])
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS)
        parser.add_argument("--json", action="store_true", help="status for a program")
        parser.add_argument("--back", action="store_true", help="prepare the way back to plain tables")
        parser.add_argument("--dry-run", action="store_true", help="drain: only say what would move")
        parser.add_argument("--exact", action="store_true", help="status: count the rows, which reads them all")
        parser.add_argument("--partitions", nargs="+", metavar="NAME", help="drop: the detached months, by name")

    def handle(self, *, action: str, database: str, **options: Any) -> None:
        again = f"python manage.py pam_partitions {action} --database {database}"
        again += " --back" if options["back"] else ""
        again += " ".join([" --partitions", *map(shlex.quote, options["partitions"])]) if options["partitions"] else ""
        with sigterm_as_interrupt(), run_again(again):
            try:
                getattr(self, f"_{action}")(database, options)
            except KeyboardInterrupt as error:
                raise MenshunError(f"Interrupted; nothing is half done. {NEXT}") from error

    def _prepare(self, alias: str, options: dict[str, Any]) -> None:
        swap = "python manage.py migrate" + (" pam 0010_phase3_begin" if options["back"] else "")
        for table in tables(alias):
            if engine.prepare(table.connection, table.layout, to_months=not options["back"], now=timezone.now()):
                self.stdout.write(f"{table.layout.table}: prepared; changes are captured until: {swap}")
            else:
                self.stdout.write(f"{table.layout.table}: is what it shall be already; nothing to be prepared")

    def _abandon(self, alias: str, options: dict[str, Any]) -> None:
        for table in tables(alias):
            engine.abandon(table.connection, table.layout)
            self.stdout.write(f"{table.layout.table}: nothing of a conversion is left")

    def _status(self, alias: str, options: dict[str, Any]) -> None:
        found = [status(table, exact=options["exact"]) for table in tables(alias)]
        if options["json"]:
            self.stdout.write(json.dumps([dataclasses.asdict(table) for table in found], indent=2))
            return
        for table in found:
            self._show(table, "" if options["exact"] else "about ")

    def _show(self, table: TableStatus, about: str) -> None:
        self.stdout.write(f"{table.table}: {table.state}")
        if table.state == "converting":
            self.stdout.write(
                f"  {table.chunks_done} of {table.chunks} chunks, {table.rows_copied:,} rows copied; "
                f"{table.keys_waiting:,} captured keys wait; "
                + (f"verified at {table.verified_at}" if table.verified_at else "not verified yet")
            )
        for month in table.months:
            self.stdout.write(
                f"  {month.name}  {month.state}  {about}{month.rows:,} rows, "
                f"{filesizeformat(month.bytes)}  {month.bound}"
            )

    def _drain(self, alias: str, options: dict[str, Any]) -> None:
        for table in partitioned(alias):
            if options["dry_run"]:
                rows = sum(monthly_default.months_in_default(table.connection, table.move).values())
                self.stdout.write(f"{table.layout.table}: {rows:,} rows would move")
                continue
            with exclusive_run(table.connection):
                self.stdout.write(f"{table.layout.table}: {self._drained(table):,} rows moved to their months")

    @staticmethod
    def _drained(table: Table) -> int:
        return monthly_default.drain(table.connection, table.move)

    def _drop(self, alias: str, options: dict[str, Any]) -> None:
        names: list[str] = options["partitions"] or []
        if not names:
            raise CommandError("Say which detached months: python manage.py pam_partitions drop --partitions NAME ...")
        for name in names:
            table = owner_of(alias, name)
            with exclusive_run(table.connection):
                monthly_retired.drop_detached(table.connection, table.move.source, name)
            self.stdout.write(f"{name}: dropped")
