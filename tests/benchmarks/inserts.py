"""e. Audit events inserted per second in phase 1, 2 and 3, against a table without indexes, checks and triggers."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from hashlib import md5
from itertools import count
from uuid import uuid4

from django.db import connections

from pam.company.lines import Sheet, line
from pam.models import AuditLog
from pam.postgres.uuid7 import uuid7_at
from tests.benchmarks.phases import UNTIL, all_phases
from tests.benchmarks.results import Figure, Row
from tests.benchmarks.scale import PHASE1, Scale, Told, migrate, run
from tests.support.servers import database_under_alias
from tests.support.turns import medians, seconds

BARE = "bare"
SHEET = Sheet("audit_logs", tuple(str(field.column) for field in AuditLog._meta.concrete_fields))
# Of `bulk_create`; the statements of a call are one transaction.
ROWS_A_STATEMENT = 1000
_numbers = count()


def measure(scale: Scale, told: Told) -> Figure:
    """Rows per second, all of the month that is being written; a batch is one transaction."""
    batch = max(200, scale.rows // 100)
    ways: dict[str, Callable[[str, int], float]] = {"`bulk_create`": _bulk_create, "`COPY`": _copy}
    with (
        all_phases(scale, told) as (server, phases),
        database_under_alias(server, BARE, BARE) as bare,
    ):
        migrate(bare, PHASE1)
        run(
            bare,
            f"CREATE TABLE {BARE} (LIKE audit_logs INCLUDING DEFAULTS)",
            "DROP TABLE audit_logs",
            f"ALTER TABLE {BARE} RENAME TO audit_logs",
        )
        databases = {BARE: bare, **phases}
        told("events are inserted")
        taken = medians(
            scale.rounds,
            {
                (way, name): partial(insert, alias, batch)
                for way, insert in ways.items()
                for name, alias in databases.items()
            },
        )
    return Figure(
        f"Audit events inserted per second, beside {scale.rows:,} that are there",
        "a table without indexes, checks and triggers",
        f"(one session; median of {scale.rounds} batches of {batch:,}, in turns)",
        [
            Row(
                way,
                {phase: taken[way, BARE] / taken[way, phase] for phase in phases},
                {"rows a second": batch / taken[way, BARE]},
            )
            for way in ways
        ],
    )


def _bulk_create(alias: str, batch: int) -> float:
    events = _events(batch)
    return seconds(lambda: AuditLog.objects.using(alias).bulk_create(events, batch_size=ROWS_A_STATEMENT))


def _copy(alias: str, batch: int) -> float:
    fields = AuditLog._meta.concrete_fields
    lines = [line([getattr(event, field.attname) for field in fields]) for event in _events(batch)]
    with connections[alias].cursor() as cursor:
        return seconds(lambda: SHEET.copy(cursor, lines))


def _events(batch: int) -> list[AuditLog]:
    return [_event(next(_numbers)) for _ in range(batch)]


def _event(number: int) -> AuditLog:
    """An event like those of the company, not before its end and in the same month."""
    at: datetime = UNTIL + timedelta(milliseconds=number)
    chance = md5(str(number).encode(), usedforsecurity=False).hexdigest()
    return AuditLog(
        id=uuid7_at(at),
        event_type="privileged_operation",
        event_subtype="directory",
        action="update_user",
        result="success",
        timestamp=at,
        duration_ms=number % 997,
        actor_upn=f"adm-{chance[:2]}@contoso.example",
        actor_display_name=f"Admin {chance[:2]}",
        target_resource_type="privileged_user",
        target_resource_id=str(uuid4()),
        target_resource_name=f"user-{chance[:3]}@contoso.example",
        session_id=uuid4(),
        request_id=f"req-{chance[:12]}",
        source_ip=f"10.0.{number % 250}.7",
        user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Firefox/145.0",
        description=f"Admin {chance[:2]}: update user user-{chance[:3]}@contoso.example, success",
        details=f"privileged_user {uuid4()} from 10.0.{number % 250}.7",
        compliance_frameworks=["SOX"],
    )
