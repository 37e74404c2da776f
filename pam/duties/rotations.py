"""Renewals of credentials: asked for, and tried again.

Both lock the credentials first and rotations second. The foreign key makes everybody else who adds a rotation wait for
the lock on its credential, so that a credential seen without an open rotation gets no other one meanwhile.
"""

from collections import Counter
from typing import Any
from uuid import UUID

from django.db import transaction

from pam.duties.work import Deed, Mandate, Seen, locked, refuse, write, write_down
from pam.models import Credential, CredentialRotation
from pam.models.audit import EventType, Severity
from pam.models.credentials import CredentialStatus
from pam.models.rotations import RotationStatus, RotationType
from pam.trail import Change

REQUESTED = Deed("rotation.requested", EventType.CREDENTIAL_ACCESS, Severity.INFO)
RETRIED = Deed("rotation.retried", EventType.CREDENTIAL_ACCESS, Severity.INFO)

OPEN_ALREADY = "its credential has an open rotation already"


def request(seen: Seen, mandate: Mandate) -> int:
    """Schedule a rotation, for now, of each of these credentials; returns how many.

    Refused: a credential that has an open rotation, or opens nothing any more. Locks: those of `pam.duties.work.locked`
    on the credentials. Errors: DutyRefusedError, and the database's own; after either nothing is done.
    """
    with transaction.atomic(using=mandate.using):
        credentials = locked(Credential.all_objects.all(), seen, mandate.using)
        busy = _with_open_rotation(seen, mandate.using)

        def why_not(row: Credential) -> str | None:
            if row.status in (CredentialStatus.REVOKED, CredentialStatus.ROTATED):
                return f"it is {row.get_status_display().lower()}"
            return "it has an open rotation already" if row.pk in busy else None

        refuse(REQUESTED, seen, credentials, why_not)
        rotations = [_requested(credential, mandate) for credential in credentials]
        CredentialRotation.all_objects.using(mandate.using).bulk_create(rotations)
        told = ("credential_id", "status", "rotation_type", "scheduled_date")
        write_down(
            [Change(row, REQUESTED.of(row), new={name: getattr(row, name) for name in told}) for row in rotations],
            mandate,
            REQUESTED,
        )
        return len(rotations)


def retry(seen: Seen, mandate: Mandate) -> int:
    """Schedule failed rotations again, for now, and count it; returns how many.

    Refused: what has not failed, has no retry left, or whose credential is deleted or has an open rotation, this
    selection's included. Locks: those of `pam.duties.work.locked` on the credentials, then on the rotations. Errors:
    as of `request`.
    """
    rows = CredentialRotation.all_objects.select_related("credential")
    with transaction.atomic(using=mandate.using):
        of_rows = rows.using(mandate.using).filter(pk__in=list(seen))
        keys = set(of_rows.values_list("credential_id", flat=True))
        locked(Credential.all_objects.all(), keys, mandate.using)
        rotations = locked(rows, seen, mandate.using)
        busy = _with_open_rotation(keys, mandate.using)
        times = Counter(row.credential_id for row in rotations)

        def why_not(row: CredentialRotation) -> str | None:
            if row.status != RotationStatus.FAILED:
                return f"it is {row.get_status_display().lower()}"
            if row.retry_count >= row.max_retries:
                return f"all of its {row.max_retries} retries are used"
            if row.credential.is_deleted:
                return "its credential is deleted"
            if row.credential_id in busy:
                return OPEN_ALREADY
            return "another of these is of the same credential" if times[row.credential_id] > 1 else None

        refuse(RETRIED, seen, rotations, why_not)
        return write(rotations, mandate, RETRIED, lambda row: _scheduled_again(row, mandate))


def _with_open_rotation(credentials: Any, using: str) -> set[UUID]:
    """Which of these credentials have a rotation that is scheduled or in progress."""
    rotations = CredentialRotation.objects.using(using).open().filter(credential__in=list(credentials))
    return set(rotations.values_list("credential_id", flat=True))


def _requested(credential: Credential, mandate: Mandate) -> CredentialRotation:
    return CredentialRotation(
        credential=credential,
        status=RotationStatus.SCHEDULED,
        scheduled_date=mandate.now,
        rotation_type=RotationType.MANUAL,
        triggered_by=mandate.origin.upn,
        reason=mandate.reason,
        created_at=mandate.now,
        updated_at=mandate.now,
        created_by=mandate.origin.upn,
        updated_by=mandate.origin.upn,
    )


def _scheduled_again(row: CredentialRotation, mandate: Mandate) -> dict[str, Any]:
    """As new, but for the count; how the last try went stands in the event."""
    return {
        "status": RotationStatus.SCHEDULED,
        "scheduled_date": mandate.now,
        "started_at": None,
        "completed_at": None,
        "error_message": None,
        "next_retry_at": None,
        "retry_count": row.retry_count + 1,
    }
