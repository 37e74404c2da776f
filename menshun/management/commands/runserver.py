"""`manage.py runserver`, connected to its database before it begins."""

from typing import Any

from django.contrib.staticfiles.management.commands import runserver
from django.db import connection


class Command(runserver.Command):
    """Django's development server."""

    def run(self, **options: Any) -> None:
        """Connect once, then serve.

        A database that cannot be reached then ends the command with its sentence; within the reloader it would be a
        traceback in a thread. And the reloader's parent process holds its part in the embedded server, which
        therefore does not stop and start at each reload.
        """
        connection.ensure_connection()
        connection.close()
        super().run(**options)
