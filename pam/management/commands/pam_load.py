"""`manage.py pam_load --profile small|medium|large`: a company that could exist, into an empty database."""

import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg2
from django.core.management import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, Error, connections
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.text import capfirst
from tqdm import tqdm

from pam.company.load import Wish, load, settle
from pam.company.profiles import PROFILES
from pam.management.interrupts import sigterm_as_interrupt
from pam.postgres.errors import UNIQUE_VIOLATION, run_again, said, sqlstate
from pam.role_file import read_roles

ROLES = Path(__file__).resolve().parents[2] / "data" / "entra_directory_roles.json"
MOST_MONTHS = 120

# Keys count milliseconds since 1970, and rows may begin ten years before their end.
FIRST_YEAR, LAST_YEAR = 1985, 2199


class Command(BaseCommand):
    """Load people, identities, credentials, assignments, sessions, and the audit events that all this causes."""

    help = "A made-up company: one seed and time, the same rows. All in one transaction, then VACUUM (ANALYZE)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--profile", choices=PROFILES, default="small", help="audit events: 20,000, 1 or 10 million"
        )
        parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same rows; default: 1")
        parser.add_argument("--months", type=_months, default=12, help="so many months of 30 days; default: 12")
        parser.add_argument(
            "--until", type=_time, default=None, metavar="TIME", help="ISO 8601 with a zone, exclusive; default: now"
        )
        parser.add_argument("--append", action="store_true", help="also if there are people already")
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS, choices=tuple(connections))

    def handle(self, *, profile: str, seed: int, months: int, until: datetime | None, **options: Any) -> None:
        wish = Wish(PROFILES[profile], seed, months, until or timezone.now())
        rest = f" --until {until.isoformat()}" if until else ""
        rest += " --append" if options["append"] else ""
        rest += f" --database {options['database']}"
        command = f"python manage.py pam_load --profile {profile} --months {months}"
        again = f"{command} --seed {seed}{rest}"
        began = time.monotonic()
        bar = tqdm(
            total=wish.profile.events, unit=" events", unit_scale=True, leave=False, disable=not sys.stderr.isatty()
        )
        try:
            with sigterm_as_interrupt(), run_again(again), bar:
                counts = load(options["database"], wish, read_roles(ROLES), append=options["append"], told=bar.update)
        except (Error, psycopg2.Error) as error:
            cure = f"When that is settled, begin anew: {again}"
            if sqlstate(error) == UNIQUE_VIOLATION:
                cure = f"Rows of this seed are there already. Take another one: {command} --seed {seed + 1}{rest}"
            raise CommandError(f"{capfirst(said(error))} No row of it was kept. {cure}") from error
        except KeyboardInterrupt as interrupt:
            raise CommandError(
                f"Stopped; no row of it was kept. VACUUM gives its space back. Begin anew: {again}"
            ) from interrupt
        try:
            with sigterm_as_interrupt():
                settle(options["database"])
        except (KeyboardInterrupt, Error) as reason:
            raise CommandError(
                f"Everything is loaded, but not vacuumed and analyzed ({str(reason).strip() or 'stopped'}). That is "
                f"left to do: python manage.py dbshell --database {options['database']} -- -c 'VACUUM (ANALYZE)'"
            ) from reason
        for table, rows in counts.items():
            self.stdout.write(f"{table}: {rows:,} rows")
        rows, seconds = sum(counts.values()), time.monotonic() - began
        self.stdout.write(
            f"{rows:,} rows in {seconds:.1f} s, {rows / seconds:,.0f} a second, VACUUM (ANALYZE) included"
        )


def _months(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_MONTHS:
        raise ArgumentTypeError(f"{text!r} is not a number of months from 1 to {MOST_MONTHS}.")
    return int(text)


def _time(text: str) -> datetime:
    try:
        found = parse_datetime(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r}: {error}. Such as 2026-11-24T13:37:11Z") from error
    if found is not None and not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise ArgumentTypeError(f"{text!r} is not within {FIRST_YEAR} and {LAST_YEAR}, of which the keys can be made.")
    if found is None or found.tzinfo is None:
        raise ArgumentTypeError(f"{text!r} is no time with a zone. Such as 2026-11-24T13:37:11Z")
    return found.astimezone(UTC)
