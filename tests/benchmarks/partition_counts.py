"""f. A key look-up and an insert by the number of partitions."""

from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import partial
from itertools import count, cycle
from uuid import UUID

from django.db import connections
from django.utils import timezone

from pam.models import PrivilegedUser, Session
from pam.partitions.tables import Table
from pam.postgres.monthly_catalog import months_of
from pam.postgres.months import Month
from tests.benchmarks.results import Figure, Row
from tests.benchmarks.scale import PHASE2, Scale, Told, migrate, run, settle
from tests.support.clients import Client
from tests.support.months import add_sessions_over, partitions, session_keys
from tests.support.servers import ALIAS, DATABASE, ROOMY, database_under_alias, server_under_alias
from tests.support.turns import medians, statement_seconds

COUNTS = (1, 12, 84)
# Each a millisecond or less.
CALLS = 300
_numbers = count()


def measure(scale: Scale, told: Told) -> Figure:
    """Milliseconds of the statements of `get(pk=…)` and `save()`, in databases of equally many sessions."""
    last, counts = Month.of(timezone.now()), scale.each(COUNTS)
    calls = CALLS * scale.rounds
    with server_under_alias(ROOMY) as server, ExitStack() as stack:
        migrate(ALIAS, PHASE2)
        Client(ALIAS, "seed").step(0)
        connections[ALIAS].close()
        measures: dict[tuple[str, int], Callable[[], float]] = {}
        for months in counts:
            told(f"{months} partitions are made")
            name = f"months{months}"
            alias = stack.enter_context(database_under_alias(server, name, name, f"TEMPLATE {DATABASE}"))
            _fill(alias, scale.sessions, months, last)
            keys, user = cycle(session_keys(alias, CALLS)), PrivilegedUser.objects.using(alias).get()
            measures["look-up by key", months] = partial(_look_up, alias, keys)
            measures["insert", months] = partial(_insert, alias, user, last.start + timedelta(days=1))
        told("sessions are looked up and inserted")
        taken = medians(calls, measures)
    return Figure(
        f"`sessions`: the ORM's statements for a look-up and an insert, time by partitions, {scale.sessions:,} rows",
        f"{COUNTS[0]} partition",
        f"(median of {calls:,} each, in turns)",
        [
            Row(
                f"{months} partition{'s' * (months > 1)}",
                {what: taken[what, months] / taken[what, COUNTS[0]] for what in ("look-up by key", "insert")},
                {f"ms {what}": taken[what, COUNTS[0]] * 1000 for what in ("look-up by key", "insert")},
                {"partitions": months},
            )
            for months in counts
        ],
    )


def _fill(alias: str, rows: int, months: int, last: Month) -> None:
    """Sessions in exactly so many partitions: the months ahead and the default one, all empty, go."""
    run(alias, "TRUNCATE sessions")
    add_sessions_over(alias, rows, months, last)
    migrate(alias)
    table = Table(connections[alias], Session).move.source
    empty = [
        one.relation.name for one in months_of(connections[alias], table, exact=True) if one.is_default or not one.rows
    ]
    run(alias, *(f"DROP TABLE {name}" for name in empty))
    assert len(partitions(alias, "sessions")) == months
    settle(alias)


def _look_up(alias: str, keys: "cycle[UUID]") -> float:
    key = next(keys)
    return statement_seconds(alias, lambda: Session.objects.using(alias).get(pk=key))


def _insert(alias: str, user: PrivilegedUser, at: datetime) -> float:
    session = Session(
        session_token_hash=Session.hash_token(f"inserted {next(_numbers)}"),
        user=user,
        created_at=at,
        last_activity=at,
        expires_at=at + timedelta(hours=8),
        authentication_method="mfa",
        source_ip="192.0.2.7",
    )
    return statement_seconds(alias, lambda: session.save(using=alias))
