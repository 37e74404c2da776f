"""The facts that advice on settings needs, gathered from one database."""

import math
import sys
from time import monotonic

from django.apps import apps
from django.db import Error, connections
from tqdm import tqdm

from pam.explain.query import Query
from pam.explain.sample import NoRows, Sample
from pam.explain.spills import enough, run
from pam.health.advice import Asked, Case
from pam.health.settings import NAMES
from pam.postgres import catalog, disk
from pam.postgres.errors import MenshunError, said
from pam.postgres.locks import read_only
from pam.postgres.server_counters import read_counters
from pam.postgres.server_machine import Machine, this_machine
from pam.postgres.server_settings import Server, read_server, readable
from pam.postgres.server_tables import read_tables
from pam.workload import QUERIES

TIMEOUT_MS = 60_000
TIME_IS_UP = "the time was up before its turn came."
# Without knowing the memory, no session is told to take more.
MOST_WORK_MEM = 1 << 30


class CannotTell(MenshunError):
    """What the advice hangs on cannot be seen."""


def gather(alias: str, memory: int | None, *, timeout_ms: int = TIMEOUT_MS, until: float = math.inf) -> Case:
    """The case of a database. `memory`: bytes of its server's; None: this machine's, if the server runs on it.

    The named queries are run, each in a read-only transaction whose statements end after so many milliseconds; one that
    spills is run again with more memory; one whose turn comes after `until`, by `time.monotonic`, is not run.
    Locks: ACCESS SHARE on what they read. Raises CannotTell.
    """
    connection = connections[alias]
    server = read_server(connection, NAMES)
    if server.unseen:
        raise CannotTell(
            f"This role does not see the settings {', '.join(server.unseen)}. Let it: GRANT pg_read_all_settings TO "
            f"{server.role}. Then look again: python manage.py pam_settings --database {alias}"
        )
    machine = _machine(alias, memory, server)
    names = [connection.ops.quote_name(model._meta.db_table) for model in apps.get_app_config("pam").get_models()]
    relations = [found for name in names if (found := catalog.relation(connection, name))]
    return Case(
        server,
        machine,
        read_counters(connection),
        tuple(read_tables(connection, [one.oid for one in relations])),
        _workload(alias, _most_work_mem(server, machine), timeout_ms, until),
        disk.free(connection),
    )


def _machine(alias: str, memory: int | None, server: Server) -> Machine | None:
    here = this_machine(connections[alias])
    if memory is None:
        return here
    shared = server["shared_buffers"].bytes
    if memory <= shared:
        raise MenshunError(
            f"--memory {readable(memory)} is not more than what the server has for shared_buffers alone, "
            f"{readable(shared)}. Give the memory of the server's machine: python manage.py pam_settings "
            f"--database {alias} --memory SIZE"
        )
    return Machine(memory, here.processors if here else None, "as --memory says")


def _most_work_mem(server: Server, machine: Machine | None) -> int:
    """What one session may be told to take: a quarter of what is left."""
    most = (machine.memory - server["shared_buffers"].bytes) // 4 if machine else MOST_WORK_MEM
    return server["work_mem"].within(most)


def _workload(alias: str, most: int, timeout_ms: int, until: float) -> tuple[Asked, ...]:
    sample = Sample(alias)
    bar = tqdm(QUERIES.values(), unit=" queries", leave=False, disable=not sys.stderr.isatty())
    return tuple(
        _ask(alias, query, sample, most, timeout_ms) if monotonic() <= until else Asked(query, None, error=TIME_IS_UP)
        for query in bar
    )


def _ask(alias: str, query: Query, sample: Sample, most: int, timeout_ms: int) -> Asked:
    found = None
    try:
        with read_only(connections[alias], timeout_ms):
            rows = query.build(sample)
        found = run(alias, rows, timeout_ms=timeout_ms)
        if not found.spills:
            return Asked(query, found)
        return Asked(query, found, enough(alias, rows, found, most=most, timeout_ms=timeout_ms))
    except NoRows as error:
        return Asked(query, None, error=str(error))
    except Error as error:
        connections[alias].ensure_connection()
        return Asked(query, found, error=said(error))
