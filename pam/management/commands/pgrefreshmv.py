"""`pgrefreshmv`: the library's command, for any database."""

from argparse import ArgumentParser

from django.core.management import CommandError
from django.db import DEFAULT_DB_ALIAS
from psqlextra.management.commands import pgrefreshmv

from pam.models.reports import REPORTS


class Command(pgrefreshmv.Command):
    help = "Read the tables of a report again. Readers wait for it unless --concurrently."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)  # type: ignore[no-untyped-call]
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS)

    def handle(self, *, app_label: str, model_name: str, concurrently: bool, database: str, **options: object) -> None:
        """The library's own knows the default database alone. Locks and errors: `Report.refresh`."""
        for report in REPORTS:
            if report._meta.label_lower == f"{app_label}.{model_name}".lower():
                report.refresh(concurrently=concurrently, using=database)
                return
        names = ", ".join(f"{report._meta.app_label} {report.__name__}" for report in REPORTS)
        raise CommandError(f"There is no report {app_label} {model_name}. There are: {names}")
