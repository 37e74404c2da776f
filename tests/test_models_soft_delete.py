"""Deletion that can be undone, and what a deleted row still holds."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db.models import ProtectedError

from pam.errors import StaleRowError
from pam.models import Credential, PrivilegedUser, RoleAssignment
from tests.support.rows import CLOCK, build, make

pytestmark = pytest.mark.django_db


def test_a_deleted_row_is_marked_and_can_come_back() -> None:
    user = make(PrivilegedUser)

    user.soft_delete(now=CLOCK)
    assert not PrivilegedUser.objects.exists()
    stored = PrivilegedUser.all_objects.get()
    assert (stored.is_deleted, stored.deleted_at, stored.version) == (True, CLOCK, 2)

    user.restore()
    stored = PrivilegedUser.objects.get()
    assert (stored.is_deleted, stored.deleted_at, stored.version) == (False, None, 3)


def test_a_second_deletion_keeps_the_time_of_the_first() -> None:
    user = make(PrivilegedUser)
    user.soft_delete(now=CLOCK)

    user.soft_delete(now=CLOCK + timedelta(days=1))
    user.refresh_from_db()

    assert (user.deleted_at, user.version) == (CLOCK, 2)


def test_restoring_a_row_that_is_there_does_nothing() -> None:
    user = make(PrivilegedUser)

    user.restore()

    assert user.version == 1


def test_deletion_saves_nothing_else() -> None:
    user = make(PrivilegedUser, department="Finance")
    user.department = "typed, not saved"

    user.soft_delete(now=CLOCK)

    assert PrivilegedUser.all_objects.get().department == "Finance"


def test_a_stale_deletion_is_refused() -> None:
    user = make(PrivilegedUser)
    PrivilegedUser.objects.get().save()

    with pytest.raises(StaleRowError):
        user.soft_delete()

    assert PrivilegedUser.objects.exists()


def test_a_deleted_row_can_be_refreshed_and_reached_by_reference() -> None:
    assignment = make(RoleAssignment)
    assert assignment.user is not None
    assignment.user.soft_delete()

    assignment.refresh_from_db()

    assert assignment.user.is_deleted
    assignment.user.refresh_from_db()


def test_deleted_rows_are_out_of_sight_in_related_managers_too() -> None:
    assignment = make(RoleAssignment)
    assert assignment.user is not None
    assignment.soft_delete()

    assert not assignment.user.role_assignments.exists()


def test_what_is_referred_to_cannot_be_deleted_for_good() -> None:
    assignment = make(RoleAssignment)
    assert assignment.user is not None
    assignment.soft_delete()

    with pytest.raises(ProtectedError):
        assignment.user.delete()


def test_a_name_that_a_deleted_row_holds_is_refused_before_the_database_does() -> None:
    gone = make(PrivilegedUser, upn="ann@contoso.example")
    gone.soft_delete()

    with pytest.raises(ValidationError, match="A deleted privileged user holds this upn: restore it instead"):
        build(PrivilegedUser, upn="Ann@contoso.example").full_clean()


def test_names_of_several_columns_are_compared_as_the_database_does() -> None:
    make(Credential, vault_path="kv/a", vault_version=None).soft_delete()

    with pytest.raises(ValidationError, match="vault path, vault version"):
        build(Credential, vault_path="kv/a", vault_version=None).full_clean()
    build(Credential, vault_path="kv/a", vault_version="1").full_clean()


def test_a_deleted_row_is_not_in_its_own_way() -> None:
    gone = make(PrivilegedUser)
    gone.soft_delete()

    gone.full_clean()


def test_unknown_names_of_deleted_rows_are_free() -> None:
    make(PrivilegedUser, azure_object_id=None).soft_delete()

    build(PrivilegedUser, azure_object_id=None).full_clean()


def test_a_name_that_is_not_in_the_form_is_not_the_forms_business() -> None:
    make(PrivilegedUser, upn="ann@contoso.example").soft_delete()

    build(PrivilegedUser, upn="ann@contoso.example").full_clean(exclude=["upn"])
