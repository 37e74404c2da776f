"""`manage.py embedded_server`: look at the embedded PostgreSQL, or stop it."""

from typing import Any

from django.core.management import BaseCommand, CommandParser
from django.db import connections

from menshun.embedded.server import EmbeddedServer, server_of
from pam.postgres.errors import MenshunError


class Command(BaseCommand):
    """Show or stop the PostgreSQL server that menshun runs for this checkout."""

    help = "Show or stop the PostgreSQL server that runs for this checkout when DATABASE_URL is not set."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """One word says what to do."""
        parser.add_argument("action", choices=["status", "stop"])

    def handle(self, *, action: str, **options: Any) -> None:
        """Do it, and say what was found."""
        server = server_of(connections["default"].settings_dict)
        if server is None:
            raise MenshunError(
                "DATABASE_URL is set, so menshun uses that server and runs none of its own. To reach the embedded one: "
                "unset DATABASE_URL"
            )
        self.stdout.write(_stop(server) if action == "stop" else _status(server))


def _status(server: EmbeddedServer) -> str:
    if server.pid is None:
        return f"The embedded PostgreSQL in '{server.folder}' does not run; the next command that needs it starts it."
    use = "in use by other commands" if server.is_in_use else "used by no command (the next one to use it stops it)"
    return f"The embedded PostgreSQL in '{server.folder}' runs as process {server.pid}, {use}; socket: '{server.host}'."


def _stop(server: EmbeddedServer) -> str:
    if not server.stop():
        return f"The embedded PostgreSQL in '{server.folder}' does not run."
    again = " Other commands still use it: they start it again when they connect." if server.is_in_use else ""
    return f"Stopped the embedded PostgreSQL in '{server.folder}'.{again}"
