"""What a person's page shows besides the person: the last assignments, sessions and events, a few of each.

Each is sorted as an index has it, so that neither a person with a long history nor a large table costs more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.urls import reverse

from pam.models import AuditLog, PrivilegedUser, RoleAssignment, Session

# How many rows of each table.
SHOWN = 10


@dataclass(frozen=True)
class Line:
    """A row: where its own page is, and what stands in each column."""

    address: str
    cells: tuple[Any, ...]


@dataclass(frozen=True)
class Part:
    """A person's rows of one table, and the address of the list that has all of them."""

    title: str
    heads: tuple[str, ...]
    lines: Sequence[Line]
    all_address: str
    when_empty: str


def parts_of(request: HttpRequest, user: PrivilegedUser) -> list[Part]:
    """What the asking person may see of this one: a table that is hidden from them is left out. One query each."""
    found = []
    for model, part in ((RoleAssignment, _assignments), (Session, _sessions), (AuditLog, _events)):
        if admin.site.get_model_admin(model).has_view_permission(request):
            found.append(part(user, user._state.db))
    return found


def _assignments(user: PrivilegedUser, using: str | None) -> Part:
    rows = RoleAssignment.objects.using(using).filter(user=user).select_related("directory_role")
    lines = [
        _line(row, row.directory_role, row.is_active, row.assigned_at, row.expires_at)
        for row in rows.order_by("-is_active", "-expires_at")[:SHOWN]
    ]
    return Part(
        "Role assignments, active ones first",
        ("Role", "Active", "Since", "Until"),
        lines,
        _list(RoleAssignment, user__id__exact=user.pk),
        "Holds no role and never held one.",
    )


def _sessions(user: PrivilegedUser, using: str | None) -> Part:
    rows = Session.objects.using(using).filter(user=user).order_by("-is_active", "-last_activity")[:SHOWN]
    return Part(
        "Sessions, active ones first",
        ("From", "Active", "Began", "Last activity", "Suspicious"),
        [
            _line(row, row.source_ip, row.is_active, row.created_at, row.last_activity, row.is_suspicious)
            for row in rows
        ],
        _list(Session, user__id__exact=user.pk),
        "Has never signed in.",
    )


def _events(user: PrivilegedUser, using: str | None) -> Part:
    events = AuditLog.objects.using(using).filter(actor_upn=user.upn).order_by("-timestamp")
    rows = events.only("timestamp", "action", "result", "severity", "target_resource_name")[:SHOWN]
    return Part(
        "Last events",
        ("Time", "Action", "Result", "Severity", "Target"),
        [
            _line(
                row,
                row.timestamp,
                row.action,
                row.get_result_display(),
                row.get_severity_display(),
                row.target_resource_name,
            )
            for row in rows
        ],
        _list(AuditLog, actor=user.upn),
        "Has done nothing that was recorded.",
    )


def _line(row: models.Model, *cells: Any) -> Line:
    return Line(reverse(f"admin:pam_{row._meta.model_name}_change", args=[row.pk]), cells)


def _list(model: type[models.Model], **conditions: Any) -> str:
    return f"{reverse(f'admin:pam_{model._meta.model_name}_changelist')}?{urlencode(conditions)}"
