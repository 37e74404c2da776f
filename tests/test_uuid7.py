"""Keys carry the time of their row, to the millisecond, as PostgreSQL counts it."""

import random
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID, uuid4

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, models
from django.db.migrations.writer import MigrationWriter

from pam.models import AuditLog, DirectoryRoleConflict, PrivilegedUser, Session
from pam.postgres.fields import UUIDv7Field
from pam.postgres.uuid7 import EPOCH, IdCarriesTime, uuid7_at
from tests.support.rows import CLOCK, TABLES, build, make

PAST = datetime(2019, 2, 28, 23, 59, 59, 999999, tzinfo=UTC)
LAST_TIME = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)


def milliseconds(key: UUID) -> int:
    return key.int >> 80


def test_it_is_a_uuid_of_version_7() -> None:
    key = uuid7_at(CLOCK)

    assert (key.version, key.variant) == (7, "specified in RFC 4122")


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (EPOCH, 0),
        (EPOCH + timedelta(microseconds=999), 0),
        (EPOCH + timedelta(microseconds=1000), 1),
        (CLOCK, 1773757425678),
        (CLOCK.astimezone(timezone(timedelta(hours=-7))), 1773757425678),
        (LAST_TIME, 253402300799999),
    ],
)
def test_it_carries_the_time_cut_off_to_milliseconds(time: datetime, expected: int) -> None:
    assert milliseconds(uuid7_at(time)) == expected


@pytest.mark.django_db
def test_it_cuts_off_as_postgresql_does() -> None:
    dice = random.Random(7)  # noqa: S311 (times to try, no secret)
    span = (LAST_TIME - EPOCH) // timedelta(microseconds=1)
    times = [EPOCH + timedelta(microseconds=dice.randrange(span)) for _ in range(2000)]
    times += [CLOCK.replace(microsecond=number) for number in (0, 1, 999, 1000, 999_999)]

    with connection.cursor() as cursor:
        cursor.execute("SELECT floor(extract(epoch FROM t) * 1000)::bigint FROM unnest(%s) t", [times])
        counted = [count for (count,) in cursor.fetchall()]

    assert [milliseconds(uuid7_at(time)) for time in times] == counted


def test_ids_of_one_moment_differ() -> None:
    assert len({uuid7_at(CLOCK) for _ in range(1000)}) == 1000


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="aware time"):
        uuid7_at(CLOCK.replace(tzinfo=None))


def test_a_time_before_1970_is_refused() -> None:
    with pytest.raises(ValueError, match="before 1970"):
        uuid7_at(EPOCH - timedelta(microseconds=1))


@pytest.mark.django_db
@pytest.mark.parametrize("model", TABLES)
def test_save_makes_the_key_from_the_rows_own_time(model: type[models.Model]) -> None:
    row = make(model)

    assert milliseconds(row.pk) == milliseconds(uuid7_at(CLOCK))
    assert type(row)._base_manager.get(pk=row.pk) == row


@pytest.mark.django_db
def test_bulk_create_makes_keys_from_times_of_the_past() -> None:
    user = make(PrivilegedUser)
    times = [PAST, PAST + timedelta(milliseconds=1), CLOCK]
    rows = [build(Session, user=user, created_at=time, expires_at=CLOCK + timedelta(1)) for time in times]

    Session.objects.bulk_create(rows)

    assert [milliseconds(row.pk) for row in rows] == [milliseconds(uuid7_at(time)) for time in times]
    assert list(Session.objects.order_by("pk").values_list("created_at", flat=True)) == times


@pytest.mark.django_db
def test_a_row_without_a_time_of_its_own_is_of_now() -> None:
    event = AuditLog.objects.create(event_type="configuration", action="a", result="success", description="d")

    event.refresh_from_db()
    assert milliseconds(event.pk) == milliseconds(uuid7_at(event.timestamp))


@pytest.mark.django_db
def test_a_time_given_as_text_will_do() -> None:
    event = make(AuditLog, timestamp="2026-03-17T15:23:45.678901+01:00")

    assert milliseconds(event.pk) == milliseconds(uuid7_at(CLOCK))


@pytest.mark.django_db
def test_a_time_that_only_the_database_knows_is_refused() -> None:
    with pytest.raises(TypeError, match="made from timestamp"):
        make(AuditLog, timestamp=None)


@pytest.mark.django_db
def test_the_id_of_an_import_stays() -> None:
    key = uuid4()

    assert make(PrivilegedUser, id=key).pk == key
    assert PrivilegedUser.objects.filter(pk=key).exists()


@pytest.mark.django_db
@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/St_Johns"])
def test_the_check_does_not_depend_on_the_time_zone_of_the_session(zone: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('TimeZone', %s, true)", [zone])

    assert make(PrivilegedUser, created_at=PAST).pk


@pytest.mark.django_db
def test_a_form_is_told_of_an_id_of_another_time() -> None:
    user = build(PrivilegedUser, id=uuid7_at(PAST))

    with pytest.raises(ValidationError, match="another time than created_at"):
        user.full_clean()


@pytest.mark.django_db
@pytest.mark.parametrize("columns", [{}, {"id": uuid4()}, {"id": uuid7_at(CLOCK)}])
def test_a_form_lets_the_right_id_pass(columns: dict[str, UUID]) -> None:
    build(PrivilegedUser, **columns).full_clean()


def test_the_field_says_in_migrations_where_its_time_is() -> None:
    field = AuditLog._meta.get_field("id")
    assert isinstance(field, UUIDv7Field)

    _, path, args, kwargs = field.deconstruct()

    assert path == "pam.postgres.fields.UUIDv7Field"
    assert UUIDv7Field(*args, **kwargs).time_field == "timestamp"


def test_the_condition_can_be_written_to_a_migration() -> None:
    text, imports = MigrationWriter.serialize(IdCarriesTime("id", "created_at"))

    assert text == "pam.postgres.uuid7.IdCarriesTime('id', 'created_at')"
    assert imports == {"import pam.postgres.uuid7"}
    assert IdCarriesTime("id", "created_at") == IdCarriesTime("id", "created_at")
    assert IdCarriesTime("id", "created_at") != IdCarriesTime("id", "timestamp")


@pytest.mark.django_db
def test_the_link_table_has_keys_with_time_too() -> None:
    assert milliseconds(make(DirectoryRoleConflict, created_at=PAST).pk) == milliseconds(uuid7_at(PAST))
