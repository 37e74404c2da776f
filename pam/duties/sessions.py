"""Sign-ins: ended before their time."""

from typing import Any

from django.db import transaction

from pam.duties.work import Deed, Mandate, Seen, change, gone, locked, write
from pam.errors import DutyRefusedError
from pam.models import PrivilegedUser, Session
from pam.models.audit import EventType
from pam.models.sessions import TerminationReason

TERMINATED = Deed("session.terminated", EventType.AUTHENTICATION)


def terminate(seen: Seen, mandate: Mandate) -> int:
    """End sessions. Refused: what has ended already. Locks and errors: `pam.duties.work.change`."""

    def why_not(row: Session) -> str | None:
        return None if row.is_active else f"it ended already, at {row.terminated_at:%Y-%m-%d %H:%M} UTC"

    return change(
        _sessions(),
        seen,
        mandate,
        TERMINATED,
        why_not=why_not,
        values=lambda row: _ended(row, mandate),
    )


def terminate_of_users(seen: Seen, mandate: Mandate) -> int:
    """End every active session of these users; returns how many sessions that were, which may be none.

    What changed about a user since is no obstacle, deletion neither: somebody who must be kept out signs in meanwhile.
    Refused: a user who is gone. Locks: those of `pam.duties.work.locked` on the users, which keeps new sessions out
    by their foreign key, then on the sessions. Errors: DutyRefusedError, and the database's own.
    """
    with transaction.atomic(using=mandate.using):
        users = locked(PrivilegedUser.all_objects.all(), seen, mandate.using)
        if problems := gone(seen, users):
            raise DutyRefusedError(action=TERMINATED.action, asked=len(seen), problems=problems)
        active = Session.objects.using(mandate.using).active().filter(user__in=[user.pk for user in users])
        sessions = locked(_sessions(), active.values_list("pk", flat=True), mandate.using)
        # Some may have ended before they were locked.
        still = [session for session in sessions if session.is_active]
        return write(still, mandate, TERMINATED, lambda row: _ended(row, mandate))


def _sessions() -> Any:
    return Session.all_objects.select_related("user")


def _ended(row: Session, mandate: Mandate) -> dict[str, Any]:
    return {
        "is_active": False,
        # Whoever recorded the sign-in may have a clock that is ahead.
        "terminated_at": max(mandate.now, row.created_at),
        "termination_reason": TerminationReason.ADMIN,
    }
