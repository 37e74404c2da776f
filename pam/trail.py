"""The trail: what somebody does here is written down in the transaction that does it, or it is not done."""

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models, router
from django.http import HttpRequest

from pam.models import AuditLog, PrivilegedUser, ServiceIdentity
from pam.models.audit import EventType, Result, Severity

# As long as names and paths are kept: Django allows longer ones, and whoever has one shall not be kept from his work.
LONGEST = 255


@dataclass(frozen=True)
class Origin:
    """Who does something, from where, and in which request. A request may do several things: they share its id."""

    upn: str
    display_name: str
    source_ip: str | None = None
    user_agent: str | None = None
    request_id: str | None = None
    http_method: str | None = None
    endpoint: str | None = None

    @classmethod
    def of(cls, request: HttpRequest) -> Self:
        """The origin of what a request does; a stranger has no name. REMOTE_ADDR is where it comes from."""
        user = request.user
        if not hasattr(request, "trail_id"):
            request.trail_id = str(uuid.uuid4())  # type: ignore[attr-defined]
        return cls(
            upn=user.get_username().lower()[:LONGEST],
            display_name=user.get_full_name()[:LONGEST] if user.is_authenticated else "",
            source_ip=request.META.get("REMOTE_ADDR") or None,
            user_agent=request.headers.get("User-Agent"),
            request_id=request.trail_id,  # type: ignore[attr-defined]
            http_method=request.method,
            endpoint=request.path[:LONGEST],
        )


def record(
    origin: Origin,
    event_type: EventType,
    action: str,
    description: str,
    *,
    target: models.Model | None = None,
    previous: Mapping[str, Any] | None = None,
    new: Mapping[str, Any] | None = None,
    details: str | None = None,
    result: Result = Result.SUCCESS,
    severity: Severity = Severity.INFO,
    using: str | None = None,
) -> AuditLog:
    """Write down what was done to `target`: in the caller's transaction, so that one is not without the other.

    `action` is verb and object in the past, as in `assignment.revoked`. `previous` and `new` are the values that
    changed, by column. Lock: ROW EXCLUSIVE on `audit_logs`, which waits for nobody who reads or writes. Errors: the
    database's own.
    """
    alias = using or router.db_for_write(AuditLog)
    event = AuditLog(
        event_type=event_type,
        action=action,
        result=result,
        severity=severity,
        description=description,
        details=details,
        previous_values=_plain(previous),
        new_values=_plain(new),
        **_by(origin, alias),
        **_about(target),
    )
    event.save(using=alias, force_insert=True)
    return event


@dataclass(frozen=True)
class Change:
    """One of many rows that the same was done to: what it is now, in words, and the values that changed, by column."""

    target: models.Model
    description: str
    previous: Mapping[str, Any] | None = None
    new: Mapping[str, Any] | None = None


def record_all(
    origin: Origin,
    event_type: EventType,
    action: str,
    changes: Iterable[Change],
    now: datetime,
    *,
    details: str | None = None,
    severity: Severity = Severity.INFO,
    using: str,
) -> list[AuditLog]:
    """Write down what was done to many rows at `now`, an event for each: as `record`, by one INSERT.

    A target's name is asked of each: load them with what their names are made of.
    """
    actor = _by(origin, using)
    events = [
        AuditLog(
            timestamp=now,
            event_type=event_type,
            action=action,
            result=Result.SUCCESS,
            severity=severity,
            description=change.description,
            details=details,
            previous_values=_plain(change.previous),
            new_values=_plain(change.new),
            **actor,
            **_about(change.target),
        )
        for change in changes
    ]
    return AuditLog.objects.using(using).bulk_create(events)


def _by(origin: Origin, using: str) -> dict[str, Any]:
    return {
        "actor_user": PrivilegedUser.objects.using(using).filter(upn=origin.upn).first(),
        "actor_upn": origin.upn or None,
        "actor_display_name": origin.display_name or None,
        "source_ip": origin.source_ip,
        "user_agent": origin.user_agent,
        "request_id": origin.request_id,
        "http_method": origin.http_method,
        "api_endpoint": origin.endpoint,
    }


def _about(target: models.Model | None) -> dict[str, Any]:
    if target is None:
        return {}
    return {
        "target_user_id": target.pk if isinstance(target, PrivilegedUser) else getattr(target, "user_id", None),
        "target_service_identity_id": (
            target.pk if isinstance(target, ServiceIdentity) else getattr(target, "service_identity_id", None)
        ),
        "target_resource_type": target._meta.model_name,
        "target_resource_id": str(target.pk),
        "target_resource_name": str(target)[:LONGEST],
    }


def _plain(values: Mapping[str, Any] | None) -> Any:
    """As JSON has it: times in ISO 8601, numbers and texts as they are."""
    if values is None:
        return None
    return json.loads(json.dumps(dict(values), cls=DjangoJSONEncoder))
