"""The load of clients without the work that the clients have of it: pgbench says again what a client has said.

For what is measured while a server is at work: clients of Python would take a good part of the processors for
themselves, which are elsewhere when a database is in use.
"""

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

from django.db import connections, models
from django.test.utils import CaptureQueriesContext

from pam.models import (
    AuditLog,
    Credential,
    CredentialRotation,
    DirectoryRole,
    PrivilegedUser,
    RoleAssignment,
    ServiceIdentity,
    Session,
)
from tests.support.clients import Client
from tests.support.cluster import Cluster
from tests.support.servers import DATABASE
from tests.support.threads import until

STATEMENTS = 19
# By what it is seen whose row it is.
NAMED: dict[type[models.Model], str] = {
    PrivilegedUser: "upn",
    DirectoryRole: "role_name",
    ServiceIdentity: "name",
    Credential: "name",
    CredentialRotation: "credential__name",
    RoleAssignment: "assigned_by",
    Session: "user__upn",
    AuditLog: "actor_upn",
}
UUID_TEXT = re.compile("([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-)[0-9a-f]{12}")
# The twelve digits at the end of a UUID, new in each step; of nine clients at the most.
MOST_CLIENTS = 9
TAIL = r"""
\set n :n + 1
\set tail 100000000000 * (1 + :client_id) + :n
"""


@contextmanager
def load(cluster: Cluster, alias: str, clients: int, rate: float | None) -> Iterator[Callable[[], int]]:
    """So many connections that make so many of a Client's steps a second altogether; without a rate, all they can.

    Yields how many steps were made. Raises if one of their statements failed, or did not find its row.
    """
    if not clients:
        yield lambda: 0
        return
    assert clients <= MOST_CLIENTS
    who = f"again-{uuid4().hex[:8]}"
    script = cluster.folder / f"{who}.sql"
    script.write_text(_script(alias, who))
    users = PrivilegedUser.all_objects.using(alias).filter(upn__startswith=who)
    pgbench = subprocess.Popen(
        [
            *(str(cluster.bindir / "pgbench"), "--no-vacuum", "--verbose-errors", "--define=n=0", "--time=86400"),
            *(f"--file={script}", f"--client={clients}", *([f"--rate={rate}"] if rate else [])),
            cluster.dsn(DATABASE),
        ],
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        until(lambda: pgbench.poll() is not None or users.count() > clients, "the first steps")
        assert pgbench.poll() is None
        yield users.count
        has_ended = pgbench.poll() is not None
    finally:
        pgbench.terminate()
        _, errors = pgbench.communicate()
        print(errors)
    assert errors == ""
    assert not has_ended
    _require_done(alias, who, users.count() - clients)


def _script(alias: str, who: str) -> str:
    """The statements of one step, whose keys and names are new each time; its times stay the same."""
    tag = f"{who}-1"
    with CaptureQueriesContext(connections[alias]) as said:
        Client(alias, who).step(1)
    statements = [one["sql"] for one in said.captured_queries]
    assert len(statements) == STATEMENTS
    token = Session.hash_token(tag)
    text = "".join(f"{statement};\n" for statement in statements)
    text = text.replace(token, f"{token[:-12]}:tail").replace(tag, f"{who}-:tail")
    return TAIL + UUID_TEXT.sub(r"\1:tail", text)


def _require_done(alias: str, who: str, steps: int) -> None:
    """All but the step that each client was at have changed what they inserted, and told of it twice."""
    for model, name in NAMED.items():
        mine = model._base_manager.using(alias).filter(**{f"{name}__startswith": who})
        done = mine.count() / 2 if model is AuditLog else mine.filter(version=2).count()
        assert done >= steps, model
