"""The machine of the server, which SQL does not show: known only where it is this one."""

# psutil has no type annotations.
# mypy: disable-error-code=no-untyped-call

from dataclasses import dataclass

import psutil
from django.db.backends.base.base import BaseDatabaseWrapper

LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Machine:
    """Bytes of memory, processors (None: not known), and who says so."""

    memory: int
    processors: int | None
    told_by: str


def this_machine(connection: BaseDatabaseWrapper) -> Machine | None:
    """This machine, if the server runs on it; otherwise None.

    A socket or localhost may lead elsewhere, by a tunnel or into a container. So the process that serves this session
    must be seen here too.
    """
    connection.ensure_connection()
    host = connection.connection.info.host or ""
    if not host.startswith("/") and host not in LOOPBACK:
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_catalog.pg_backend_pid()")
        (pid,) = cursor.fetchone()
    try:
        name = psutil.Process(pid).name()
    except psutil.Error:
        return None
    if not name.startswith("postgres"):
        return None
    return Machine(psutil.virtual_memory().total, psutil.cpu_count(), "read from this machine")
