"""`manage.py` that dies by its own hand: `python -m tests.support.dying kill 17 migrate pam` ends before statement 17.

With `record` for the number it is when Django first records that a migration is applied.

Counted are the statements that change something, on all connections. `kill` ends the process, `crash` the server (as
-m immediate does); `count` ends nothing and prints at the end how many there were.
"""

import os
import signal
import sys
import threading
from typing import Any

from django.core.management import execute_from_command_line
from django.db.backends.signals import connection_created

CHANGES = ("CREATE", "ALTER", "DROP", "INSERT", "UPDATE", "DELETE", "LOCK", "VACUUM", "ANALYZE", "COMMENT", "GRANT")

RECORD = "record"


class Fate:
    """Counts, and strikes once."""

    def __init__(self, how: str, when: str) -> None:
        self.how, self.when, self.seen = how, when, 0
        self.lock = threading.Lock()

    def __call__(self, execute: Any, statement: Any, params: Any, many: bool, context: Any) -> Any:
        connection = context["connection"]
        text = statement if isinstance(statement, str) else statement.as_string(connection.connection)
        if text.lstrip().startswith(CHANGES):
            with self.lock:
                self.seen += 1
                is_record = text.startswith('INSERT INTO "django_migrations"')
                if self.when == str(self.seen) or (self.when == RECORD and is_record):
                    self.strike(connection)
        return execute(statement, params, many, context)

    def strike(self, connection: Any) -> None:
        if self.how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.how == "crash":
            with connection.connection.cursor() as cursor:
                cursor.execute("SHOW data_directory")
                with open(f"{cursor.fetchone()[0]}/postmaster.pid") as file:
                    os.kill(int(file.readline()), signal.SIGQUIT)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "menshun.settings")
    fate = Fate(sys.argv[1], sys.argv[2])

    def watch(connection: Any, **_: Any) -> None:
        # A wrapper outlives the session: one that is opened again has it already.
        if fate not in connection.execute_wrappers:
            connection.execute_wrappers.append(fate)

    connection_created.connect(watch, weak=False)
    try:
        execute_from_command_line(["manage.py", *sys.argv[3:]])
    finally:
        print(f"statements: {fate.seen}")
