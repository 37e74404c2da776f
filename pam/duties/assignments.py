"""Roles in somebody's hands: taken back, approved, certified. Locks and errors: `pam.duties.work.change`."""

from datetime import datetime, timedelta
from typing import Any

from pam.duties.work import Deed, Mandate, Seen, change
from pam.models import RoleAssignment
from pam.models.assignments import SyncStatus
from pam.models.audit import EventType, Severity

REVOKED = Deed("assignment.revoked", EventType.AUTHORIZATION)
EMERGENCY_ENDED = Deed("assignment.emergency_ended", EventType.AUTHORIZATION, Severity.HIGH)
CERTIFIED = Deed("assignment.certified", EventType.COMPLIANCE, Severity.INFO)
APPROVED = Deed("assignment.approved", EventType.AUTHORIZATION, Severity.INFO)

# How long a certification holds where the role does not say: privileged access is reviewed every quarter.
CERTIFIED_FOR_DAYS = 90


def revoke(seen: Seen, mandate: Mandate) -> int:
    """Take roles back; Entra is still to be told. Refused: what has ended already, or has not begun."""
    return change(
        _assignments(),
        seen,
        mandate,
        REVOKED,
        why_not=lambda row: _why_no_end(row, mandate.now),
        values=lambda row: _ended(mandate),
    )


def end_emergency(seen: Seen, mandate: Mandate) -> int:
    """Take roles back that somebody broke the glass for. Refused: as by `revoke`, and what is no emergency."""
    return change(
        _assignments(),
        seen,
        mandate,
        EMERGENCY_ENDED,
        why_not=lambda row: _why_no_end(row, mandate.now) if row.is_emergency else "it is no emergency assignment",
        values=lambda row: _ended(mandate),
    )


def certify(seen: Seen, mandate: Mandate) -> int:
    """State that holders still need their roles, until the role wants it stated again.

    Refused: what has ended, and what one holds oneself.
    """

    def why_not(row: Any) -> str | None:
        if not row.is_active:
            return "it has ended"
        return "nobody certifies what he holds himself" if _holds(row, mandate) else None

    def values(row: Any) -> dict[str, Any]:
        days = row.directory_role.certification_frequency_days or CERTIFIED_FOR_DAYS
        return {
            "last_certified": mandate.now,
            "certified_by": mandate.origin.upn,
            "next_certification_date": mandate.now + timedelta(days=days),
        }

    return change(_assignments(), seen, mandate, CERTIFIED, why_not=why_not, values=values)


def approve(seen: Seen, mandate: Mandate) -> int:
    """Agree to assignments that need it. Refused: one's own, held or made, and what needs no approval any more."""

    def why_not(row: Any) -> str | None:
        if not row.is_active:
            return "it has ended"
        if row.approved_at is not None:
            return f"{row.approved_by} has approved it already"
        if not row.approval_required:
            return "it needs no approval"
        if _holds(row, mandate) or row.assigned_by.lower() == mandate.origin.upn:
            return "nobody approves what he holds or has assigned himself"
        return None

    return change(
        _assignments(),
        seen,
        mandate,
        APPROVED,
        why_not=why_not,
        values=lambda row: {"approved_by": mandate.origin.upn, "approved_at": mandate.now},
    )


def _assignments() -> Any:
    return RoleAssignment.all_objects.select_related("directory_role", "user", "service_identity")


def _why_no_end(row: RoleAssignment, now: datetime) -> str | None:
    if row.revoked_at is not None:
        return f"{row.revoked_by} has revoked it already"
    if not row.is_active:
        return "it has ended already"
    return f"it only begins at {row.assigned_at:%Y-%m-%d %H:%M} UTC" if row.assigned_at > now else None


def _ended(mandate: Mandate) -> dict[str, Any]:
    return {
        "is_active": False,
        "revoked_at": mandate.now,
        "revoked_by": mandate.origin.upn,
        "sync_status": SyncStatus.PENDING,
    }


def _holds(row: RoleAssignment, mandate: Mandate) -> bool:
    """Whether who acts is the holder, by the administrative account or by the person's ordinary one."""
    return row.user is not None and mandate.origin.upn in (row.user.upn, row.user.source_user_upn)
