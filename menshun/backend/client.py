"""`manage.py dbshell`: works with the embedded server, and on a machine without psql, for the wheel has one."""

import shutil
from collections.abc import Iterable
from typing import Any

from django.db.backends.postgresql import client

from menshun.embedded.programs import wheel_bindir
from menshun.embedded.server import server_of


class DatabaseClient(client.DatabaseClient):
    """Runs psql on the database of the settings."""

    @classmethod
    def settings_to_cmd_args_env(
        cls, settings_dict: dict[str, Any], parameters: Iterable[str]
    ) -> tuple[list[str], dict[str, str] | None]:
        """The command line, with the wheel's psql where it fits the server best or no other is installed."""
        (name, *arguments), variables = super().settings_to_cmd_args_env(settings_dict, list(parameters))
        if settings_dict.get("EMBEDDED_SERVER") is not None or shutil.which(name) is None:
            name = str(wheel_bindir() / name)
        return [name, *arguments], variables

    def runshell(self, parameters: Iterable[str]) -> None:
        """Start the embedded server if it is one, and hand the terminal over to psql."""
        server = server_of(self.connection.settings_dict)
        if server is not None:
            server.use()
        super().runshell(parameters)
