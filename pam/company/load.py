"""The whole company into its tables, in one transaction: it is there, or nothing of it is."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from pam.company.access import ASSIGNMENTS, assignments
from pam.company.days import SESSIONS, Company, days
from pam.company.events import EVENTS, Calendar
from pam.company.lines import key
from pam.company.people import IDENTITIES, USERS, identities, users
from pam.company.profiles import Profile
from pam.company.vault import CREDENTIALS, ROTATIONS, vault
from pam.directory_roles import compare
from pam.models import DirectoryRole, PrivilegedUser
from pam.partitions.tables import partitioned
from pam.postgres import catalog
from pam.postgres.errors import MenshunError, TableMissing
from pam.postgres.locks import CALM, timeouts
from pam.postgres.monthly import add_month
from pam.postgres.months import Month
from pam.postgres.months import months as months_between
from pam.role_file import Role

TABLES = [sheet.table for sheet in (USERS, IDENTITIES, CREDENTIALS, ROTATIONS, ASSIGNMENTS, SESSIONS, EVENTS)]
# Lock: ROW EXCLUSIVE on the users.
COUNT_SIGN_INS = """
UPDATE privileged_users u SET sign_in_count = s.sign_ins, last_sign_in = s.last, last_activity = s.active
FROM (
    SELECT user_id, count(*) AS sign_ins, max(created_at) AS last, max(last_activity) AS active
    FROM sessions GROUP BY user_id
) s
WHERE s.user_id = u.id
"""


class PeopleThere(MenshunError):
    """The database has people in it, and nobody said that more may come."""


@dataclass(frozen=True)
class Wish:
    """What is to be loaded: how much, from which seed, over how many months (of 30 days) until when (aware)."""

    profile: Profile
    seed: int
    months: int
    until: datetime

    @property
    def begin(self) -> datetime:
        """Midnight UTC of the first day."""
        return (self.until - timedelta(days=30 * self.months)).replace(hour=0, minute=0, second=0, microsecond=0)


def load(alias: str, wish: Wish, roles: list[Role], *, append: bool, told: Callable[[int], object]) -> dict[str, int]:
    """Load the company; returns the rows of each table. `told` gets the number of events of each day.

    The same wish gives the same rows, on an empty database also the same keys. Memory does not grow with the events: a
    day of them is held at a time. Locks: ROW EXCLUSIVE on all tables, for the whole time. Raises PeopleThere,
    TableMissing; nothing is left of a load that was interrupted, but the months that it has made.
    """
    connection = connections[alias]
    _require_room(connection, alias, append)
    _make_months(alias, wish)
    with transaction.atomic(using=alias):
        return _load(connection, wish, roles, told)


def settle(alias: str) -> None:
    """Statistics and visibility maps, after a load. Not inside a transaction.

    A lock is waited for long enough for an autovacuum to give way, and no longer: then SQLSTATE 55P03.
    """
    connection = connections[alias]
    with timeouts(connection, lock_ms=CALM.lock_timeout_ms), connection.cursor() as cursor:
        for table in ("directory_roles", *TABLES):
            # An index alone can answer only where the visibility map says that all may see the rows.
            # Lock: SHARE UPDATE EXCLUSIVE; of a partitioned table also its months.
            cursor.execute(f"VACUUM (ANALYZE) {connection.ops.quote_name(table)}")


def _require_room(connection: BaseDatabaseWrapper, alias: str, append: bool) -> None:
    for table in ("directory_roles", *TABLES):
        if catalog.relation(connection, table) is None:
            raise TableMissing(table)
    there = PrivilegedUser.all_objects.using(alias).count()
    if there and not append:
        raise PeopleThere(
            f"There are {there:,} people in this database already. Load into an empty one, or let more come: "
            f"python manage.py pam_load --append --database {alias}"
        )


def _make_months(alias: str, wish: Wish) -> None:
    """Partitions for the time that the rows are of, so that they do not fall into the default one."""
    for table in partitioned(alias):
        for month in months_between(Month.of(wish.begin), Month.of(wish.until)):
            add_month(table.connection, table.move, month)


def _load(
    connection: BaseDatabaseWrapper, wish: Wish, roles: list[Role], told: Callable[[int], object]
) -> dict[str, int]:
    chance, calendar = Random(wish.seed), Calendar(list)  # noqa: S311 (nothing here is a secret)
    first = PrivilegedUser.all_objects.using(connection.alias).count() + 1
    span = (wish.begin, wish.until)
    people, user_rows = users(chance, wish.profile.users, first, *span)
    services, identity_rows = identities(chance, wish.profile.identities, first, people, *span)
    role_keys = _roles(wish.seed, roles, connection.alias, wish.begin)
    credential_rows, rotation_rows = vault(chance, services, span, calendar)
    assignment_rows, held = assignments(chance, [*people, *services], role_keys, span, calendar)
    counts = dict.fromkeys(TABLES, 0)
    with connection.cursor() as cursor:
        # Foreign keys are looked at after each COPY: until the commit, the server would keep every row in mind.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for sheet, rows in (
            (USERS, user_rows),
            (IDENTITIES, identity_rows),
            (CREDENTIALS, credential_rows),
            (ROTATIONS, rotation_rows),
            (ASSIGNMENTS, assignment_rows),
        ):
            sheet.copy(cursor, rows)
            counts[sheet.table] += len(rows)
        company = Company(chance, people, services, role_keys, held, wish.profile.events)
        for sessions, events in days(company, *span, calendar):
            SESSIONS.copy(cursor, sessions)
            EVENTS.copy(cursor, events)
            counts[SESSIONS.table] += len(sessions)
            counts[EVENTS.table] += len(events)
            told(len(events))
        cursor.execute(COUNT_SIGN_INS)
    return counts


def _roles(seed: int, roles: list[Role], alias: str, created: datetime) -> list[tuple[str, str]]:
    """Id and name of the real roles; those that are not there yet are added.

    By a chance of their own, so that whatever else is drawn does not depend on how many are there already.
    """
    chance = Random(seed)  # noqa: S311 (nothing here is a secret)
    stored = DirectoryRole.all_objects.using(alias)
    new = compare(roles, stored).new
    for row in new:
        row.id, row.created_at, row.updated_at = key(chance, created), created, created
    stored.bulk_create(new)
    return [(str(id_), name) for id_, name in stored.order_by("template_id").values_list("id", "role_name")]
