"""Many tries at once: how many are looked at, and what is told of them."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from threading import Barrier

import pytest
from django.db import connections
from django.test import Client, override_settings

from pam.models import AuditLog
from tests.support.routers import Everything
from tests.support.threads import actor

AT_ONCE, LIMIT = 8, 5


@pytest.fixture
def live(migrated: str) -> Iterator[str]:
    """The alias of the database that the site stands on, whose commits are commits."""
    with override_settings(DATABASE_ROUTERS=[Everything(migrated)]):
        yield migrated


def test_no_more_are_looked_at_than_one_after_the_other(live: str) -> None:
    together = Barrier(AT_ONCE)

    def guess() -> int:
        # The connection is there before the start.
        connections[live].ensure_connection()
        together.wait(60)
        return int(Client().post("/admin/login/", {"username": "ann", "password": "wrong"}).status_code)

    with ExitStack() as stack:
        tries = [stack.enter_context(actor(guess)) for _ in range(AT_ONCE)]
    assert Counter(one.result() for one in tries) == {200: LIMIT - 1, 429: AT_ONCE - LIMIT + 1}
    told = Counter(AuditLog.objects.values_list("action", flat=True))
    assert told == {"account.sign_in_failed": LIMIT, "account.locked_out": 1}
