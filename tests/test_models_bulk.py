"""Changes of many rows at once count the version too."""

import pytest
from django.db import NotSupportedError

from pam.errors import StaleRowError
from pam.models import PrivilegedUser, RoleAssignment
from tests.support.rows import CLOCK, build, make

pytestmark = pytest.mark.django_db


def test_update_makes_loaded_rows_stale() -> None:
    user = make(PrivilegedUser, updated_at=CLOCK)

    assert PrivilegedUser.objects.filter(pk=user.pk).update(department="Audit") == 1

    stored = PrivilegedUser.objects.get(pk=user.pk)
    assert stored.version == 2
    assert stored.updated_at > CLOCK
    with pytest.raises(StaleRowError):
        user.save()


def test_update_through_a_related_manager_counts_too() -> None:
    assignment = make(RoleAssignment)
    assert assignment.user is not None

    assignment.user.role_assignments.update(is_active=False)

    assignment.refresh_from_db()
    assert assignment.version == 2


def test_bulk_update_makes_loaded_rows_stale() -> None:
    mine = make(PrivilegedUser)
    theirs = PrivilegedUser.objects.get(pk=mine.pk)
    theirs.department = "Audit"

    PrivilegedUser.objects.bulk_update([theirs], ["department"])

    stored = PrivilegedUser.objects.get(pk=mine.pk)
    assert (stored.department, stored.version) == ("Audit", 2)
    with pytest.raises(StaleRowError):
        mine.save()


def test_bulk_create_does_not_update_behind_the_version() -> None:
    user = make(PrivilegedUser)

    with pytest.raises(NotSupportedError, match="update_or_create"):
        PrivilegedUser.objects.bulk_create(
            [build(PrivilegedUser, upn=user.upn)],
            update_conflicts=True,
            update_fields=["department"],
            unique_fields=["upn"],
        )


def test_update_or_create_counts_the_version() -> None:
    user = make(PrivilegedUser)

    again, created = PrivilegedUser.objects.update_or_create(upn=user.upn, defaults={"department": "Audit"})

    assert (again.version, created) == (2, False)
