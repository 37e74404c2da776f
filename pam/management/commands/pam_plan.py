"""`pam_plan`: what phase 3 would do to the tables as they are now, and what stands in its way."""

import dataclasses
import json
from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS
from django.template.defaultfilters import filesizeformat
from django.utils import timezone

from pam.partitions.tables import tables
from pam.postgres.errors import run_again
from pam.postgres.online_copy.plan import Plan, plan


class Command(BaseCommand):
    help = "Show obstacles, sizes, time, locks and statements of the conversion to monthly partitions. Changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS)
        parser.add_argument("--json", action="store_true", help="for a program")
        parser.add_argument("--back", action="store_true", help="plan the way back to plain tables")

    def handle(self, *, database: str, back: bool, **options: Any) -> None:
        with run_again(f"python manage.py pam_plan --database {database}" + (" --back" if back else "")):
            plans = [
                plan(table.connection, table.layout, to_months=not back, now=timezone.now())
                for table in tables(database)
            ]
        if options["json"]:
            self.stdout.write(json.dumps([dataclasses.asdict(one) for one in plans], indent=2))
        else:
            for one in plans:
                self._show(one)
        obstacles = sum(len(one.obstacles) for one in plans)
        if obstacles:
            raise CommandError(
                f"{obstacles} obstacles, each named above with its cure. Then look again: python manage.py pam_plan"
            )

    def _show(self, one: Plan) -> None:
        if one.is_done:
            self.stdout.write(f"{one.table}: is what it shall be already; nothing to be done.")
            return
        free = "unknown from here" if one.disk_free is None else filesizeformat(one.disk_free)
        self.stdout.write(
            f"{one.table}: {'to monthly partitions' if one.to_months else 'back to a plain table'}\n"
            f"  {one.rows:,} rows, {filesizeformat(one.bytes)} with indexes; {one.months} months\n"
            f"  disk needed: {filesizeformat(one.disk_needed)}, of it WAL {filesizeformat(one.wal)}; free: {free}\n"
            f"  time: {_about(one.seconds, f's with {one.workers} workers for copy and indexes, by a sample')}\n"
            f"  longest lock: {_about(one.longest_lock_ms, 'ms, at the swap, whatever the rows and months')}"
        )
        for obstacle in one.obstacles:
            self.stdout.write(f"  OBSTACLE: {obstacle}")
        for number, step in enumerate(one.steps, 1):
            grows = f"; the time grows with {step.grows}" if step.grows else ""
            self.stdout.write(f"  {number:3}. {step.name}: {step.locks_told or 'no lock on a table in use'}{grows}")


def _about(measured: float | None, of: str) -> str:
    if measured is None:
        return "not measured: this role may make no temporary table (GRANT TEMPORARY ON DATABASE ... TO ...)"
    return f"about {measured:,.0f} {of}"
