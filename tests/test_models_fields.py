"""Columns that are more than plain text or numbers, and what rows say about themselves."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, models
from django.test import override_settings

from pam.models import (
    Credential,
    CredentialRotation,
    DirectoryRole,
    DirectoryRoleConflict,
    PrivilegedUser,
    RoleAssignment,
    ServiceIdentity,
    Session,
)
from pam.postgres.uuid7 import uuid7_at
from tests.support.rows import CLOCK, TABLES, build, insert, make

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("model", TABLES)
def test_a_row_by_plain_sql_gets_the_defaults_of_the_model(model: type[models.Model]) -> None:
    row = model._base_manager.get(pk=insert(model))
    fields = [field for field in model._meta.concrete_fields if field.has_default()]

    assert all(field.has_db_default() for field in fields)
    for field in fields:
        default = field.get_default()
        if not isinstance(field, models.DateTimeField):
            assert getattr(row, field.attname) == default, field.name


@pytest.mark.parametrize("model", TABLES)
def test_after_a_save_a_row_is_what_the_database_has(model: type[models.Model]) -> None:
    row = make(model)
    names = [field.attname for field in model._meta.concrete_fields]
    in_memory = {name: getattr(row, name) for name in names}

    row.refresh_from_db()

    assert {name: getattr(row, name) for name in names} == in_memory


@pytest.mark.parametrize("model", TABLES)
def test_every_row_is_legal_in_a_form_too(model: type[models.Model]) -> None:
    build(model).full_clean()


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (PrivilegedUser, "ann@contoso.example"),
        (DirectoryRole, "Security Reader"),
        (DirectoryRoleConflict, "Security Reader or Global Reader, not both"),
        (ServiceIdentity, "backup"),
        (Credential, "backup key (API key)"),
        (CredentialRotation, "Automatic rotation of backup key (API key), scheduled"),
        (RoleAssignment, "Security Reader for ann@contoso.example"),
        (Session, "ann@contoso.example from 192.0.2.7 at 2026-03-17 14:23"),
    ],
)
def test_a_row_says_what_it_is(model: type[models.Model], expected: str) -> None:
    user = PrivilegedUser(upn="ann@contoso.example")
    role = DirectoryRole(role_name="Security Reader")
    credential = Credential(name="backup key", credential_type="api_key")
    values: dict[type[models.Model], dict[str, Any]] = {
        PrivilegedUser: {"upn": "ann@contoso.example"},
        DirectoryRole: {"role_name": "Security Reader"},
        DirectoryRoleConflict: {"role": role, "conflicting_role": DirectoryRole(role_name="Global Reader")},
        ServiceIdentity: {"name": "backup"},
        Credential: {"name": "backup key", "credential_type": "api_key"},
        CredentialRotation: {"credential": credential},
        RoleAssignment: {"directory_role": role, "user": user},
        Session: {"user": user, "source_ip": "192.0.2.7", "created_at": CLOCK},
    }

    assert str(model(**values[model])) == expected


def test_an_assignment_to_a_service_identity_names_it() -> None:
    assignment = build(RoleAssignment, user=None, service_identity=make(ServiceIdentity, name="backup"))

    assert str(assignment).endswith(" for backup")


def test_no_row_shows_its_token_hash_or_vault_path() -> None:
    current, credential = build(Session), build(Credential)

    assert current.session_token_hash not in f"{current!r} {current}"
    assert credential.vault_path not in f"{credential!r} {credential}"


def test_the_hash_of_a_token_is_keyed_and_fits_its_column() -> None:
    digest = Session.hash_token("s3cret")

    assert digest == Session.hash_token("s3cret") != Session.hash_token("other")
    assert make(Session, session_token_hash=digest).session_token_hash == digest
    with override_settings(SECRET_KEY="another key"):
        assert Session.hash_token("s3cret") != digest


def test_upns_are_stored_and_found_in_lower_case() -> None:
    user = make(PrivilegedUser, upn="Adm-Ann@Contoso.example", manager_upn=None)
    assert user.upn == "adm-ann@contoso.example"

    assert PrivilegedUser.objects.get(upn="ADM-ANN@contoso.example") == user
    PrivilegedUser.objects.update(manager_upn="BOB@contoso.example")
    user.refresh_from_db()
    assert (user.upn, user.manager_upn) == ("adm-ann@contoso.example", "bob@contoso.example")


def test_networks_are_kept_as_networks() -> None:
    networks = ["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32"]
    identity = make(ServiceIdentity, ip_restrictions=networks)
    identity.refresh_from_db()
    assert identity.ip_restrictions == networks

    identity.ip_restrictions = ["198.51.100.0/24"]
    ServiceIdentity.objects.bulk_update([identity], ["ip_restrictions"])
    with connection.cursor() as cursor:
        cursor.execute("SELECT inet '198.51.100.9' <<= ANY (ip_restrictions) FROM service_identities")
        assert cursor.fetchone() == (True,)


@pytest.mark.parametrize("network", ["10.0.0.1/8", "everywhere", "10.0.0.0/33", "50%"])
def test_what_is_no_network_is_refused_by_a_form(network: str) -> None:
    with pytest.raises(ValidationError, match=f"{network} is not a network"):
        build(ServiceIdentity, ip_restrictions=[network]).full_clean()


def test_a_network_may_be_written_in_other_ways() -> None:
    identity = make(ServiceIdentity, ip_restrictions=["192.0.2.7", "2001:DB8::/32", "10.0.0.0/255.0.0.0"])
    identity.refresh_from_db()

    assert identity.ip_restrictions == ["192.0.2.7/32", "2001:db8::/32", "10.0.0.0/8"]
    assert ServiceIdentity.objects.get(ip_restrictions__contains=["10.0.0.0/255.0.0.0"]) == identity


def test_the_duration_of_a_rotation_is_generated() -> None:
    rotation = make(CredentialRotation, started_at=CLOCK)
    assert rotation.duration is None

    rotation.completed_at, rotation.status = CLOCK + timedelta(minutes=3), "completed"
    rotation.save()
    rotation.refresh_from_db()

    assert rotation.duration == timedelta(minutes=3)


def test_a_conflict_has_no_direction() -> None:
    first, second = sorted((make(DirectoryRole), make(DirectoryRole)), key=lambda role: role.pk)
    other = make(DirectoryRole)

    conflict = DirectoryRoleConflict(role=second, conflicting_role=first)
    conflict.full_clean()
    conflict.save()

    assert (conflict.role, conflict.conflicting_role) == (first, second)
    assert list(first.conflicting_roles()) == [second]
    assert list(second.conflicting_roles()) == [first]
    assert not other.conflicting_roles().exists()


def test_a_role_is_not_in_conflict_with_itself() -> None:
    role = make(DirectoryRole)

    with pytest.raises(ValidationError, match="in conflict with itself"):
        DirectoryRoleConflict(role=role, conflicting_role=role).full_clean()


def test_ids_given_as_text_are_put_in_order_too() -> None:
    first, second = sorted((make(DirectoryRole), make(DirectoryRole)), key=lambda role: role.pk)

    conflict = DirectoryRoleConflict(role_id=str(second.pk), conflicting_role_id=first.pk)
    conflict.save()
    conflict.refresh_from_db()

    assert (conflict.role_id, conflict.conflicting_role_id) == (first.pk, second.pk)


def test_a_key_is_there_as_soon_as_a_row_is_saved() -> None:
    user = build(PrivilegedUser)
    assert user.pk is None

    user.save()

    assert isinstance(user.pk, UUID)
    assert user.pk.int >> 80 == uuid7_at(CLOCK).int >> 80
