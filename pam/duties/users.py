"""Accounts of people: disabled and enabled. Locks and errors: `pam.duties.work.change`."""

from pam.duties.work import Deed, Mandate, Seen, change
from pam.models import PrivilegedUser
from pam.models.audit import EventType

DISABLED = Deed("user.disabled", EventType.CONFIGURATION)
ENABLED = Deed("user.enabled", EventType.CONFIGURATION)


def disable(seen: Seen, mandate: Mandate) -> int:
    """Close accounts; their sessions are ended by `sessions.terminate_of_users`. Refused: what is disabled already."""
    return _set(seen, mandate, DISABLED, enabled=False)


def enable(seen: Seen, mandate: Mandate) -> int:
    """Open accounts again. Refused: what is enabled already."""
    return _set(seen, mandate, ENABLED, enabled=True)


def _set(seen: Seen, mandate: Mandate, deed: Deed, *, enabled: bool) -> int:
    """An account of which only one of the two columns says so is neither, and both duties bring them to agree."""

    def why_not(row: PrivilegedUser) -> str | None:
        is_so = row.is_active == row.account_enabled == enabled
        return f"it is {'enabled' if enabled else 'disabled'} already" if is_so else None

    values = {"is_active": enabled, "account_enabled": enabled}
    return change(PrivilegedUser.all_objects.all(), seen, mandate, deed, why_not=why_not, values=lambda row: values)
