"""`migrate`, one run at a time on a database, that also takes back what an interrupted run left half done."""

from typing import Any

from django.core.management.commands import migrate
from django.db import DEFAULT_DB_ALIAS, Error, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import Migration

from pam.management.interrupts import sigterm_as_interrupt
from pam.postgres.errors import (
    INSUFFICIENT_PRIVILEGE,
    NEXT,
    QUERY_CANCELED,
    MenshunError,
    build_failed,
    run_again,
    sqlstate,
)
from pam.postgres.half_applied import HalfApplied
from pam.postgres.locks import is_open
from pam.postgres.run_lock import exclusive_run


class Command(migrate.Command):
    """Django's own command, under an advisory lock: a second run says for whom it waits, and leaves after an hour.

    A plain `kill` (SIGTERM, as of a container that is stopped) ends it like Ctrl-C: the statement is cancelled on the
    server too, and what it left is dropped.
    """

    _connection: BaseDatabaseWrapper
    _half_applied: HalfApplied | None

    def handle(self, *args: Any, **options: Any) -> None:
        if options["plan"] or options["check_unapplied"]:
            super().handle(*args, **options)
            return
        self._connection = connections[options["database"]]
        self._half_applied = None
        with run_again(_command(options)):
            try:
                with sigterm_as_interrupt(), exclusive_run(self._connection):
                    super().handle(*args, **options)
            except KeyboardInterrupt as error:
                raise MenshunError(
                    f"Interrupted. What is recorded stays, the step at work does not count. {NEXT}"
                ) from error
            except Error as error:
                # Django has connected anew where the server ended within a transaction; that error has no SQLSTATE.
                lost = isinstance(error, OperationalError) and sqlstate(error) is None
                connected = is_open(self._connection) and not lost
                if connected and sqlstate(error) not in (INSUFFICIENT_PRIVILEGE, QUERY_CANCELED):
                    raise
                # While Django itself was at work, say, which records what is applied.
                raise build_failed(error, "Migrating", connected) from error

    def migration_progress_callback(self, action: str, migration: Migration | None = None, fake: bool = False) -> None:
        """As Django's, but a migration that reports its steps begins them on a line of their own.

        Before a migration of pam is taken back, so is what was begun above it and never recorded.
        """
        super().migration_progress_callback(action, migration, fake)
        if migration is None or migration.app_label != "pam":
            return
        if self.verbosity and action.endswith("apply_start") and not migration.atomic:
            self.stdout.write("")
        if action == "unapply_start" and not fake:
            self._half_applied = self._half_applied or HalfApplied(self._connection)
            self._half_applied.take_back(migration)


def _command(options: dict[str, Any]) -> str:
    """What was run, to be run again: on the way back a plain `migrate` would go forward."""
    words = [options["app_label"], options["migration_name"]]
    if options["database"] != DEFAULT_DB_ALIAS:
        words += ["--database", options["database"]]
    return " ".join(["python manage.py migrate", *(word for word in words if word)])
