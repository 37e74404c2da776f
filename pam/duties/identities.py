"""Service identities: suspended and taken up again. Locks and errors: `pam.duties.work.change`."""

from typing import Any

from pam.duties.work import Deed, Mandate, Seen, change
from pam.models import ServiceIdentity
from pam.models.audit import EventType
from pam.models.identities import IdentityStatus

SUSPENDED = Deed("identity.suspended", EventType.CONFIGURATION)
REACTIVATED = Deed("identity.reactivated", EventType.CONFIGURATION)


def suspend(seen: Seen, mandate: Mandate) -> int:
    """Stop identities for a time. Refused: what is not active."""

    def why_not(row: ServiceIdentity) -> str | None:
        return None if row.status == IdentityStatus.ACTIVE else f"it is {row.get_status_display().lower()}"

    return _set(seen, mandate, SUSPENDED, why_not, status=IdentityStatus.SUSPENDED, is_active=False)


def reactivate(seen: Seen, mandate: Mandate) -> int:
    """Let suspended identities run again. Refused: what is not suspended, and what has expired meanwhile."""

    def why_not(row: ServiceIdentity) -> str | None:
        if row.status != IdentityStatus.SUSPENDED:
            return f"it is {row.get_status_display().lower()}"
        if row.expires_at is not None and row.expires_at <= mandate.now:
            return f"it expired at {row.expires_at:%Y-%m-%d %H:%M} UTC"
        return None

    return _set(seen, mandate, REACTIVATED, why_not, status=IdentityStatus.ACTIVE, is_active=True)


def _set(seen: Seen, mandate: Mandate, deed: Deed, why_not: Any, *, status: IdentityStatus, is_active: bool) -> int:
    """The three columns that say whether an identity runs agree."""
    values = {"status": status, "is_active": is_active, "account_enabled": is_active}
    return change(ServiceIdentity.all_objects.all(), seen, mandate, deed, why_not=why_not, values=lambda row: values)
