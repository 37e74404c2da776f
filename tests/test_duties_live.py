"""Duties beside others, and without a trail: of two at once one wins, and what cannot be written down is not done."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import InternalError, connections

from pam.duties import rotations, users
from pam.errors import DutyRefusedError
from pam.models import AuditLog, Credential, CredentialRotation, PrivilegedUser, ServiceIdentity
from tests.support.duties import mandate, seen
from tests.support.rows import CLOCK, build
from tests.support.threads import actor

NO_TRAIL = """
    CREATE FUNCTION no_trail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no trail today'; END $$;
    CREATE TRIGGER no_trail BEFORE INSERT ON audit_logs FOR EACH ROW EXECUTE FUNCTION no_trail();
"""


def people(alias: str, count: int) -> list[PrivilegedUser]:
    rows = [build(PrivilegedUser) for _ in range(count)]
    return PrivilegedUser.objects.using(alias).bulk_create(rows)


def secrets(alias: str, count: int) -> list[Credential]:
    owner = build(ServiceIdentity)
    owner.save(using=alias)
    common = {"service_identity": owner, "credential_type": "api_key", "created_at": CLOCK}
    rows = [Credential(name=f"key {n}", vault_path=f"kv/{n}", **common) for n in range(count)]
    return Credential.objects.using(alias).bulk_create(rows)


def test_what_cannot_be_written_down_is_not_done(migrated: str) -> None:
    rows, keys = people(migrated, 2), secrets(migrated, 2)
    with connections[migrated].cursor() as cursor:
        cursor.execute(NO_TRAIL)

    with pytest.raises(InternalError, match="no trail today"):
        users.disable(seen(*rows), mandate(migrated))
    with pytest.raises(InternalError, match="no trail today"):
        rotations.request(seen(*keys), mandate(migrated))

    assert set(PrivilegedUser.objects.using(migrated).values_list("is_active", "version")) == {(True, 1)}
    assert not CredentialRotation.objects.using(migrated).exists()


def two_at_once(migrated: str, duty: Callable[..., int], rows: list[Any]) -> list[int | DutyRefusedError]:
    """Both have looked at the same rows, each in another order, and begin at the same moment."""
    barrier = threading.Barrier(2)

    def act(wanted: list[Any]) -> int | DutyRefusedError:
        # The connection is there before the start.
        connections[migrated].ensure_connection()
        barrier.wait(60)
        try:
            return duty(seen(*wanted), mandate(migrated))
        except DutyRefusedError as error:
            return error

    with actor(lambda: act(rows)) as first, actor(lambda: act(rows[::-1])) as second:
        return [first.result(60), second.result(60)]


@pytest.mark.parametrize(
    ("duty", "making", "why"),
    [
        (users.disable, people, "it is disabled already"),
        (rotations.request, secrets, "it has an open rotation already"),
    ],
    ids=["disable", "request"],
)
def test_of_two_at_once_one_wins_and_the_other_is_told(
    migrated: str, duty: Callable[..., int], making: Callable[..., list[Any]], why: str
) -> None:
    rows = making(migrated, 100)

    (done, refused) = sorted(two_at_once(migrated, duty, rows), key=lambda outcome: not isinstance(outcome, int))

    assert done == 100
    assert isinstance(refused, DutyRefusedError)
    assert [problem.why for problem in refused.problems] == [why] * 100
    assert AuditLog.objects.using(migrated).count() == 100
