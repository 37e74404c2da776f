"""The load of clients without the work that the clients have of it: pgbench says again what a client has said.

For what is measured while a server is at work: clients of Python would take a good part of the processors for
themselves, which are elsewhere when a database is in use.
"""

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connections
from django.test.utils import CaptureQueriesContext

from pam.models import PrivilegedUser, Session
from tests.support.clients import Client
from tests.support.cluster import Cluster
from tests.support.servers import DATABASE
from tests.support.threads import until

WHO = "said-again"
UUID = re.compile("([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-)[0-9a-f]{12}")
# So many decimal digits as a UUID has at its end; different in each step.
TAIL = r"\set tail random(100000000000, 999999999999)"


@contextmanager
def load(cluster: Cluster, alias: str, clients: int, rate: float | None) -> Iterator[Callable[[], int]]:
    """So many connections that make so many of a Client's steps a second altogether, or as many as they can.

    All have begun when the block begins. Yields how many steps were made; raises if one of their statements failed.
    """
    if not clients:
        yield lambda: 0
        return
    script = cluster.folder / "step.sql"
    script.write_text(_script(alias))
    command = [str(cluster.bindir / "pgbench"), "--no-vacuum", "--time=86400", f"--file={script}"]
    command.append(f"--client={clients}")
    if rate:
        command.append(f"--rate={rate}")
    users = PrivilegedUser.all_objects.using(alias).filter(upn__startswith=WHO)
    before = users.count()
    with subprocess.Popen(
        [*command, cluster.dsn(DATABASE)], text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as pgbench:
        try:
            until(lambda: users.count() >= before + clients, "as many steps as there are clients")
            yield lambda: users.count() - before
            assert pgbench.poll() is None, "pgbench has ended"
        finally:
            pgbench.terminate()
            _, errors = pgbench.communicate()
    assert errors == ""


def _script(alias: str) -> str:
    """The statements and transactions of one step, whose keys and names are new each time; its times stay the same."""
    tag = f"{WHO}-1"
    with CaptureQueriesContext(connections[alias]) as said:
        Client(alias, WHO).step(1)
    token = Session.hash_token(tag)
    text = "".join(f"{one['sql']};\n" for one in said.captured_queries)
    text = text.replace(token, f"{token[:-12]}:tail").replace(tag, f"{WHO}-:tail")
    return "\n".join([TAIL, UUID.sub(r"\1:tail", text)])
