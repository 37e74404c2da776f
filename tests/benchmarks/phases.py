"""One company in three databases of one server: as phase 1, 2 and 3 leave it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import pairwise

from django.db import connections

from pam.company.load import Wish, load
from pam.company.profiles import PROFILES, Profile
from pam.management.commands.pam_load import ROLES
from pam.role_file import read_roles
from tests.benchmarks.scale import PHASE1, PHASE2, Scale, Told, migrate, settle
from tests.support.cluster import Cluster
from tests.support.servers import ALIAS, ROOMY, database_under_alias, server_under_alias

SEED, MONTHS, UNTIL = 1, 12, datetime(2026, 11, 17, 13, 37, 11, tzinfo=UTC)
TARGETS = {"phase 1": [PHASE1], "phase 2": [PHASE2], "phase 3": []}


def load_company(alias: str, scale: Scale) -> None:
    """The company of `pam_load --profile medium`, with about so many audit events and people in proportion."""
    medium = PROFILES["medium"]
    users, identities = (max(20, size * scale.rows // medium.events) for size in (medium.users, medium.identities))
    wish = Wish(Profile(users, identities, scale.rows), SEED, scale.months(MONTHS), UNTIL)
    load(alias, wish, read_roles(ROLES), append=False, told=lambda events: None)


@contextmanager
def all_phases(
    scale: Scale, told: Told, options: dict[str, str] | None = None
) -> Iterator[tuple[Cluster, dict[str, str]]]:
    """A server, and the alias of each phase's database on it; with `options` beside the usual settings."""
    with server_under_alias({**ROOMY, **(options or {})}) as server, ExitStack() as stack:
        told("a company is loaded")
        migrate(ALIAS, PHASE1)
        load_company(ALIAS, scale)
        databases = {"phase 1": ALIAS}
        for before, phase in pairwise(TARGETS):
            told(f"{phase} is made")
            source = connections[databases[before]]
            source.close()
            copy = f"TEMPLATE {source.settings_dict['NAME']} STRATEGY file_copy"
            alias = phase.replace(" ", "")
            databases[phase] = stack.enter_context(database_under_alias(server, alias, alias, copy))
            migrate(alias, *TARGETS[phase])
        for alias in databases.values():
            settle(alias)
        yield server, databases
