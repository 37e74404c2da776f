"""A stale save is an error and changes nothing; nobody's change is silently overwritten."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.core import serializers
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connections, transaction
from django.db.models.signals import pre_save

from pam.errors import PamError, StaleRowError, VersionNotLoadedError
from pam.models import PrivilegedUser
from tests.support.rows import CLOCK, build, make
from tests.support.threads import actor, until

pytestmark = pytest.mark.django_db


def twice() -> tuple[PrivilegedUser, PrivilegedUser]:
    """One row in the hands of two people."""
    user = make(PrivilegedUser, department="Finance")
    return user, PrivilegedUser.objects.get(pk=user.pk)


def stored(user: PrivilegedUser) -> dict[str, Any]:
    return dict(PrivilegedUser.all_objects.filter(pk=user.pk).values().get())


def test_each_save_counts_the_version() -> None:
    user = make(PrivilegedUser)
    assert user.version == 1

    user.save()
    user.save()

    assert user.version == stored(user)["version"] == 3


def test_a_stale_save_raises_and_changes_nothing() -> None:
    mine, theirs = twice()
    theirs.department = "Audit"
    theirs.save()
    before = stored(mine)
    loaded = mine.version, mine.updated_at
    mine.department = "Sales"

    with pytest.raises(StaleRowError) as stale:
        mine.save()

    assert stored(mine) == before
    assert (mine.version, mine.updated_at) == loaded
    assert (stale.value.model, stale.value.pk, stale.value.version) == ("PrivilegedUser", mine.pk, 1)
    assert isinstance(stale.value, PamError)
    assert "refresh_from_db()" in str(stale.value)


def test_refresh_and_again_works() -> None:
    mine, theirs = twice()
    theirs.save()
    with pytest.raises(StaleRowError):
        mine.save()

    mine.refresh_from_db()
    mine.department = "Sales"
    mine.save()

    assert stored(mine)["department"] == "Sales"
    assert mine.version == 3


def test_a_stale_save_leaves_the_transaction_usable() -> None:
    mine, theirs = twice()
    theirs.save()

    with pytest.raises(StaleRowError):
        mine.save()

    assert PrivilegedUser.objects.filter(pk=mine.pk).exists()


@pytest.mark.parametrize("options", [{"update_fields": ["department"]}, {"force_update": True}])
def test_no_way_to_save_gets_past_the_lock(options: dict[str, Any]) -> None:
    mine, theirs = twice()
    theirs.save()

    with pytest.raises(StaleRowError):
        mine.save(**options)


def test_a_row_made_by_hand_is_under_the_lock_as_well() -> None:
    user = make(PrivilegedUser)
    user.save()

    with pytest.raises(StaleRowError):
        build(PrivilegedUser, pk=user.pk, version=1).save(force_update=True)


def test_a_row_that_is_gone_is_stale_and_does_not_come_back() -> None:
    mine, theirs = twice()
    theirs.delete()

    with pytest.raises(StaleRowError):
        mine.save()

    assert not PrivilegedUser.all_objects.filter(pk=mine.pk).exists()


def test_saving_some_fields_saves_version_and_time_with_them() -> None:
    user = make(PrivilegedUser, department="Finance", updated_at=CLOCK)
    user.department, user.job_title = "Audit", "not to be saved"

    user.save(update_fields=(name for name in ["department"]))

    row = stored(user)
    assert (row["department"], row["job_title"], row["version"]) == ("Audit", None, 2)
    assert row["updated_at"] > CLOCK


def test_saving_no_fields_does_nothing() -> None:
    user = make(PrivilegedUser)

    user.save(update_fields=[])

    assert user.version == stored(user)["version"] == 1


def test_the_times_of_a_new_row_are_kept() -> None:
    user = make(PrivilegedUser, created_at=CLOCK, updated_at=CLOCK + timedelta(days=3))

    row = stored(user)
    assert (row["created_at"], row["updated_at"]) == (CLOCK, CLOCK + timedelta(days=3))


def test_a_row_loaded_without_its_version_says_so() -> None:
    user = make(PrivilegedUser)

    with pytest.raises(VersionNotLoadedError, match="only"):
        PrivilegedUser.objects.only("upn").get(pk=user.pk).save()
    with pytest.raises(VersionNotLoadedError):
        PrivilegedUser.objects.defer("version").get(pk=user.pk).save(update_fields=["upn"])

    assert stored(user)["version"] == 1


def test_a_row_loaded_in_part_with_its_version_is_saved_in_part() -> None:
    user = make(PrivilegedUser, department="Finance", updated_at=CLOCK)
    part = PrivilegedUser.objects.only("upn", "version").get(pk=user.pk)
    part.upn = "new@contoso.example"

    part.save()

    row = stored(user)
    assert (row["upn"], row["department"], row["version"]) == ("new@contoso.example", "Finance", 2)
    assert row["updated_at"] > CLOCK


def test_a_refused_save_leaves_the_version_in_memory() -> None:
    user = make(PrivilegedUser)
    user.risk_score = 101

    with pytest.raises(IntegrityError), transaction.atomic():
        user.save()
    assert user.version == 1
    user.risk_score = 100
    user.save()

    assert stored(user)["version"] == 2


def test_a_listener_that_fails_leaves_the_version_in_memory() -> None:
    user = make(PrivilegedUser)

    def refuse(**_: Any) -> None:
        raise RuntimeError("not today")

    pre_save.connect(refuse, sender=PrivilegedUser)
    try:
        with pytest.raises(RuntimeError):
            user.save()
    finally:
        pre_save.disconnect(refuse, sender=PrivilegedUser)

    assert user.version == stored(user)["version"] == 1


def test_a_new_row_never_overwrites_another() -> None:
    user = make(PrivilegedUser)

    with pytest.raises(IntegrityError), transaction.atomic():
        build(PrivilegedUser, pk=user.pk).save()

    assert stored(user)["version"] == 1


def test_saving_some_fields_of_an_unsaved_row_is_an_error() -> None:
    with pytest.raises((DatabaseError, StaleRowError)):
        build(PrivilegedUser).save(update_fields=["upn"])


def test_contradicting_orders_are_refused_as_by_django() -> None:
    with pytest.raises(ValueError, match="Cannot force both insert and updating"):
        build(PrivilegedUser).save(force_insert=True, force_update=True)


def test_a_copy_is_a_new_row() -> None:
    user = make(PrivilegedUser, upn="old@contoso.example")
    old = user.pk
    user.pk, user.upn, user.source_user_id = None, "new@contoso.example", "another"

    user.save()

    assert user.pk != old
    assert PrivilegedUser.objects.count() == 2


def test_a_fixture_is_loaded_over_a_row_without_a_lock() -> None:
    user = make(PrivilegedUser)
    fixture = serializers.serialize("json", [user])
    user.save()

    for row in serializers.deserialize("json", fixture):
        row.save()

    assert stored(user)["version"] == 1


def test_the_version_can_come_from_a_form_that_was_shown_before() -> None:
    mine, theirs = twice()
    theirs.save()
    shown = mine.version
    again = PrivilegedUser.objects.get(pk=mine.pk)
    again.version = shown

    with pytest.raises(StaleRowError):
        again.save()


def test_of_two_saves_at_the_same_moment_one_is_stale(database: str) -> None:
    """The second UPDATE waits for the first one's row lock, looks again, and finds another version."""
    call_command("migrate", "pam", "0001", database=database, verbosity=0)
    user = build(PrivilegedUser)
    user.save(using=database)
    saved, released = threading.Event(), threading.Event()

    def first() -> None:
        mine = PrivilegedUser.objects.using(database).get(pk=user.pk)
        with transaction.atomic(using=database):
            mine.department = "Audit"
            mine.save()
            saved.set()
            released.wait(60)

    def second() -> type[Exception] | None:
        mine = PrivilegedUser.objects.using(database).get(pk=user.pk)
        mine.department = "Sales"
        try:
            mine.save()
        except StaleRowError as error:
            return type(error)
        return None

    def someone_waits() -> bool:
        with connections[database].cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            return bool(cursor.fetchone()[0])

    with actor(first):
        assert saved.wait(60)
        with actor(second) as other:
            until(someone_waits, "the second save waits for the first")
            released.set()
            assert other.result(60) is StaleRowError

    assert PrivilegedUser.objects.using(database).get().department == "Audit"
