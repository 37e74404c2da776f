"""Audit events: one for each thing that somebody did, in agreement with the rows it speaks of."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from pam.company.lines import Sheet, key, line
from pam.company.people import Identity, User

EVENTS = Sheet(
    "audit_logs",
    (
        *("id", "event_type", "event_subtype", "action", "result", "timestamp", "duration_ms"),
        *("actor_user_id", "actor_service_identity_id", "actor_upn", "actor_display_name"),
        *("target_user_id", "target_resource_type", "target_resource_id", "target_resource_name"),
        *("session_id", "correlation_id", "request_id", "source_ip", "user_agent", "description", "details"),
        *("risk_score", "severity", "is_suspicious", "compliance_frameworks", "retention_date", "response_code"),
    ),
)
FRAMEWORKS = {
    "credential_access": ["SOX", "PCI-DSS"],
    "privileged_operation": ["SOX"],
    "configuration": ["SOX", "ISO-27001"],
    "compliance": ["SOX", "HIPAA", "ISO-27001"],
    "security_incident": ["ISO-27001"],
}
# Result and severity go together: what was refused is worth a look, what went well hardly ever.
OUTCOMES = (("success", "info", 200), ("failure", "warning", 500), ("denied", "high", 403), ("error", "warning", 502))
CHANCES = (965, 12, 18, 5)
SUSPICIOUS = 0.001
KEPT = timedelta(days=7 * 365)

# The lines of events whose day comes later, by day.
Calendar = defaultdict[date, list[str]]


@dataclass(frozen=True)
class Target:
    """What something was done to."""

    type: str
    id: str
    name: str
    user: str | None = None


@dataclass(frozen=True)
class Actor:
    """Who did something, and from where."""

    user: str | None
    identity: str | None
    upn: str
    name: str
    address: str
    agent: str

    @classmethod
    def of(cls, who: User | Identity, agent: str = "menshun-worker/1.0") -> "Actor":
        if isinstance(who, User):
            return cls(who.id, None, who.upn, who.name, who.address, agent)
        return cls(None, who.id, who.owner, who.name, who.address, agent)


def event(
    chance: Random,
    time: datetime,
    kind: tuple[str, str, str],
    actor: Actor,
    target: Target,
    *,
    session: str | None = None,
    correlation: str | None = None,
    outcome: tuple[str, str, int] | None = None,
) -> str:
    """The line of one event; `kind` is type, subtype and action. Without an outcome, chance decides."""
    type_, subtype, action = kind
    result, severity, code = outcome or chance.choices(OUTCOMES, CHANCES)[0]
    suspicious = chance.random() < SUSPICIOUS
    if suspicious:
        severity = "critical"
    values: tuple[Any, ...] = (
        *(key(chance, time), type_, subtype, action, result, time, int(chance.expovariate(1 / 120))),
        *(actor.user, actor.identity, actor.upn, actor.name),
        *(target.user, target.type, target.id, target.name),
        *(session, correlation, f"req-{chance.getrandbits(48):012x}", actor.address, actor.agent),
        f"{actor.name}: {action.replace('_', ' ')} {target.name}, {result}",
        f"{target.type} {target.id} from {actor.address}",
        95 if suspicious else chance.randint(0, 30) + (40 if result == "denied" else 0),
        *(severity, suspicious, FRAMEWORKS.get(type_, []), time + KEPT, code),
    )
    return line(values)
