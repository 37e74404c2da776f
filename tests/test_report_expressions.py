"""The expressions of reports mean the same in every session, at every time of the year."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import TextField, Value
from django.db.models.functions import Cast

from pam.models import PrivilegedUser
from pam.postgres.months import Month
from pam.postgres.report_expressions import DaysFromNow, MonthStart, RowKey

pytestmark = pytest.mark.django_db

ZONES = ("UTC", "America/New_York", "Pacific/Kiritimati", "Europe/Berlin", "Asia/Kathmandu")
# Around the ends of months, a leap day, and the nights when clocks are changed in New York and Berlin.
TIMES = (
    datetime(2026, 3, 1, 0, 0, 0, tzinfo=UTC),
    datetime(2026, 2, 28, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(2028, 2, 29, 13, 37, 11, tzinfo=UTC),
    datetime(2026, 3, 31, 22, 30, tzinfo=UTC),
    datetime(2026, 11, 1, 5, 30, tzinfo=UTC),
    datetime(2027, 1, 25, 0, 30, tzinfo=UTC),
    datetime(2026, 12, 31, 23, 0, tzinfo=UTC),
)


def is_at(expression: Any, now: datetime, zone: str, wanted: datetime) -> bool:
    """Whether the server, in a session of this time zone and as if it were `now`, makes `wanted` of it."""
    statement, _ = expression.as_sql(None, connection)
    assert statement.count("CURRENT_TIMESTAMP") == 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('TimeZone', %s, true)", [zone])
        cursor.execute(f"SELECT {statement.replace('CURRENT_TIMESTAMP', '%s::timestamptz')} = %s", [now, wanted])
        return bool(cursor.fetchall() == [(True,)])


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("now", TIMES, ids=str)
def test_months_and_days_are_those_of_utc(now: datetime, zone: str) -> None:
    for months in (-13, -1, 0, 1):
        assert is_at(MonthStart(months), now, zone, Month.of(now).plus(months).start)
    for days in (-90, 14):
        assert is_at(DaysFromNow(days), now, zone, now + timedelta(days=days))
    assert not is_at(MonthStart(0), now, zone, Month.of(now).plus(1).start)


def test_no_two_values_have_one_key() -> None:
    texts = [None, "", "null", '"', '", "', "a", "a b", "ä", "\\", "\n", '["a"]', "x" * 255]
    pairs = [(one, other) for one in texts for other in texts]
    user = PrivilegedUser.objects.create(upn="a@b.example", display_name="a", source_user_id="1", source_user_upn="a@b")
    rows = PrivilegedUser.objects.filter(pk=user.pk)
    keys = [rows.values_list(RowKey(*map(_text, pair)), flat=True).get() for pair in pairs]
    assert len(set(keys)) == len(pairs)
    assert keys[0] == "[null, null]"


def _text(value: str | None) -> Any:

    return Cast(Value(value), TextField())
