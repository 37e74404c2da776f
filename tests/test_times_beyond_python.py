"""Times that the database has and Python has not: a row with one of them hides neither itself nor others."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.db import connection

from pam.models import AuditLog
from tests.support.admin import sign_in, url
from tests.support.rows import insert, make

pytestmark = pytest.mark.django_db

LAST, FIRST = datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)
EXPORTED = {"20000-01-01": "9999-12-31T23:59:59.999999Z", "0044-03-15 BC": "0001-01-01T00:00:00.000000Z"}


def test_they_are_read_as_the_last_or_first_that_python_has() -> None:
    times = ("20000-01-01", "infinity", "0044-03-15 BC", "-infinity", "2026-03-17 12:00+02", None)
    with connection.cursor() as cursor:
        cursor.execute("SELECT time::timestamptz FROM unnest(%s) time", [list(times)])
        assert [time for (time,) in cursor] == [LAST, LAST, FIRST, FIRST, datetime(2026, 3, 17, 10, tzinfo=UTC), None]
        cursor.execute("SELECT day::date FROM unnest(%s) day", [["20000-01-01", "0044-03-15 BC", "2026-03-17", None]])
        assert [day for (day,) in cursor] == [date.max, date.min, date(2026, 3, 17), None]


@pytest.mark.parametrize(("time", "read"), EXPORTED.items())
def test_an_event_with_one_is_listed_shown_and_exported_among_others(time: str, read: str) -> None:
    make(AuditLog)
    key = insert(AuditLog, retention_date=time)
    browser = sign_in()
    page = browser.get(url(AuditLog, "changelist"))
    assert (page.status_code, page.content.decode().count("/admin/pam/auditlog/0")) == (200, 2)
    assert browser.get(url(AuditLog, "change", AuditLog(pk=key))).status_code == 200
    response: Any = browser.post("/admin/pam/auditlog/export/?to=2026-04-01", {"format": "jsonl"})
    lines = b"".join(response.streaming_content).decode().splitlines()
    assert {json.loads(line)["retention_date"] for line in lines} == {None, read}
