"""A company to be looked at, and what it looks like."""

from datetime import UTC, datetime

from django.db import connections

from pam.company.load import TABLES, Wish, load
from pam.company.profiles import Profile
from pam.management.commands.pam_load import ROLES
from pam.role_file import read_roles

UNTIL = datetime(2026, 8, 17, 13, 37, 11, tzinfo=UTC)
TINY = Profile(users=30, identities=12, events=3_000)
WISH = Wish(TINY, seed=7, months=3, until=UNTIL)


def fill(alias: str, wish: Wish = WISH, *, append: bool = False) -> dict[str, int]:
    return load(alias, wish, read_roles(ROLES), append=append, told=lambda events: None)


def sums(alias: str) -> dict[str, tuple[int, int]]:
    """Count and checksum of all rows of each table."""
    found = {}
    with connections[alias].cursor() as cursor:
        for table in ("directory_roles", *TABLES):
            cursor.execute(f"SELECT count(*), sum(hashtextextended((t.*)::text, 0)::numeric)::text FROM {table} t")
            found[table] = cursor.fetchone()
    return found
