"""`migrate`, one run at a time on a database."""

from typing import Any

from django.core.management.commands import migrate
from django.db import connections
from django.db.migrations import Migration

from pam.postgres.locks import exclusive_run


class Command(migrate.Command):
    """Django's own command, under an advisory lock: a second run says for whom it waits, and leaves after an hour."""

    def handle(self, *args: Any, **options: Any) -> None:
        if options["plan"] or options["check_unapplied"]:
            super().handle(*args, **options)
            return
        with exclusive_run(connections[options["database"]]):
            super().handle(*args, **options)

    def migration_progress_callback(self, action: str, migration: Migration | None = None, fake: bool = False) -> None:
        """As Django's; a migration that reports its steps begins them on a line of their own."""
        super().migration_progress_callback(action, migration, fake)
        if self.verbosity and action.endswith("apply_start") and migration and not migration.atomic:
            self.stdout.write("")
