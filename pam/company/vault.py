"""Credentials of service identities, and each time one was renewed."""

from datetime import datetime, timedelta
from random import Random

from pam.company.events import Actor, Calendar, Target, event
from pam.company.lines import Sheet, key, line
from pam.company.people import Identity

CREDENTIALS = Sheet(
    "credentials",
    (
        *("id", "created_at", "updated_at", "credential_type", "name", "description", "service_identity_id"),
        *("vault_path", "vault_version", "status", "expires_at", "last_used", "use_count", "rotation_frequency_days"),
        *("next_rotation_date", "last_rotated", "rotation_count", "auto_rotation_enabled", "strength_score"),
    ),
)
ROTATIONS = Sheet(
    "credential_rotations",
    (
        *("id", "created_at", "updated_at", "credential_id", "status", "scheduled_date", "started_at", "completed_at"),
        *("rotation_type", "triggered_by", "error_message", "retry_count", "next_retry_at", "verification_status"),
    ),
)
STARTED = ("success", "info", 200)
FAILED = ("failure", "warning", 500)


def vault(
    chance: Random, owners: list[Identity], span: tuple[datetime, datetime], calendar: Calendar
) -> tuple[list[str], list[str]]:
    """One to four credentials for each identity: their rows, their rotations' rows, and events into the calendar."""
    credentials: list[str] = []
    rotations: list[str] = []
    for owner in owners:
        for number in range(chance.choice([1, 1, 2, 2, 3, 4])):
            credential, renewals = _credential(chance, owner, number, span, calendar)
            credentials.append(credential)
            rotations += renewals
    return credentials, rotations


def _credential(
    chance: Random, owner: Identity, number: int, span: tuple[datetime, datetime], calendar: Calendar
) -> tuple[str, list[str]]:
    begin, until = span
    created = begin - timedelta(days=chance.uniform(1, 400))
    every = timedelta(days=owner.frequency)
    kind = chance.choice(["client_secret", "client_secret", "certificate", "password", "api_key", "ssh_key"])
    id_, name = key(chance, created), f"{owner.name}-{kind.replace('_', '-')}-{number}"
    target = Target("credential", id_, name)
    rows, last, renewed, due = [], None, 0, begin + every * chance.random()
    while due < until:
        row, completed = _rotation(chance, owner, target, due, until, calendar)
        rows.append(row)
        last, renewed = completed or last, renewed + (completed is not None)
        due += every
    # An identity that no longer runs has credentials that are no longer active: again two columns that agree.
    (status,) = chance.choices(["active", "expired", "revoked"], [94, 4, 2] if owner.is_active else [5, 55, 40])
    automatic = chance.random() < 0.8
    # Some are due already: what the rotation worker has before it.
    upcoming = due - timedelta(days=owner.frequency * 0.05) if status == "active" else None
    if upcoming and automatic and chance.random() < 0.3:
        rows.append(_scheduled(chance, id_, upcoming, until))
    return (
        line(
            (
                *(id_, created, last or created, kind, name, f"{kind.replace('_', ' ')} of {owner.name}", owner.id),
                *(f"kv/{owner.name}/{number}", str(renewed + 1), status),
                until + timedelta(days=chance.uniform(-10, 400)) if chance.random() < 0.7 else None,
                *(until - timedelta(hours=chance.expovariate(1 / 40)), chance.randint(0, 9000), owner.frequency),
                upcoming,
                *(last, renewed, automatic, chance.randint(40, 100)),
            )
        ),
        rows,
    )


def _rotation(
    chance: Random, owner: Identity, target: Target, due: datetime, until: datetime, calendar: Calendar
) -> tuple[str, datetime | None]:
    """A rotation that was tried at `due`, and its two events; when it was completed, None if it failed."""
    worked = chance.random() < 0.96
    ended = due + timedelta(seconds=chance.uniform(2, 90))
    id_, actor = key(chance, due), Actor.of(owner)
    # One that failed a short while ago is tried again.
    retry = ended + timedelta(hours=2) if not worked and ended > until - timedelta(days=30) else None
    for time, action, outcome in (
        (due, "start_rotation", STARTED),
        (ended, "complete_rotation" if worked else "fail_rotation", STARTED if worked else FAILED),
    ):
        if time < until:
            calendar[time.date()].append(
                event(
                    chance,
                    time,
                    ("credential_access", "rotation", action),
                    actor,
                    target,
                    correlation=id_,
                    outcome=outcome,
                )
            )
    return (
        line(
            (
                *(id_, due, ended, target.id, "completed" if worked else "failed", due, due, ended, "automatic"),
                *("rotation-worker", None if worked else "The vault did not answer in time", 0 if worked else 1, retry),
                "success" if worked else "failed",
            )
        ),
        ended if worked else None,
    )


def _scheduled(chance: Random, credential: str, due: datetime, until: datetime) -> str:
    at = until - timedelta(hours=chance.uniform(1, 20))
    return line(
        (
            *(key(chance, at), at, at, credential, "scheduled", due, None, None, "automatic", "rotation-worker"),
            *(None, 0, None, "pending"),
        )
    )
