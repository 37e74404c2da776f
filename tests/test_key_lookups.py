"""A row that is looked up by its key is looked for in its own month and nowhere else."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, models
from django.db.models import F, OuterRef
from django.test.utils import CaptureQueriesContext

from pam.models import AuditLog, PrivilegedUser, Session
from pam.postgres.key_lookups import span_of, spans_of
from pam.postgres.uuid7 import uuid7_at
from tests.support.rows import make

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)


def test_a_span_is_the_millisecond_of_the_id():
    assert span_of(uuid7_at(NOW)) == (NOW - timedelta(microseconds=999), NOW + timedelta(microseconds=1))


@pytest.mark.parametrize(
    "key", [uuid4(), None, "x", UUID(int=(1 << 128) - 1), UUID("ffffffff-ffff-7fff-bfff-ffffffffffff")]
)
def test_other_keys_have_no_span(key):
    assert span_of(key) is None
    assert spans_of([uuid7_at(NOW), key]) == []


def test_many_keys_have_a_span_for_each_month_or_one_for_all():
    days = [NOW + timedelta(days=day) for day in (0, 1, 2)]
    assert len(spans_of(map(uuid7_at, days))) == 2
    years = [NOW - timedelta(days=40 * number) for number in range(30)]
    ((start, end),) = spans_of(map(uuid7_at, years))
    assert start <= min(years)
    assert end > max(years)


@pytest.fixture
def session() -> Session:
    with connection.cursor() as cursor:
        for table, time in (("sessions", "created_at"), ("audit_logs", "timestamp")):
            del time
            for month in ("2026_08", "2026_09"):
                year, number = map(int, month.split("_"))
                cursor.execute(
                    f"CREATE TABLE {table}_{month} PARTITION OF {table} FOR VALUES FROM (%s) TO (%s)",
                    [datetime(year, number, 1, tzinfo=UTC), datetime(year, number + 1, 1, tzinfo=UTC)],
                )
    created = datetime(2026, 8, 31, 23, 59, 59, 999999, tzinfo=UTC)
    row: Session = make(Session, created_at=created, expires_at=created + timedelta(hours=8))
    return row


TOUCHES: dict[str, Callable[[Session], Any]] = {
    "get": lambda row: Session.objects.get(pk=row.pk),
    "get by text": lambda row: Session.objects.get(id=str(row.pk)),
    "filter": lambda row: list(Session.objects.filter(id=row.pk)),
    "in": lambda row: list(Session.objects.filter(pk__in=[row.pk])),
    "save": lambda row: row.save(),
    "refresh": lambda row: row.refresh_from_db(),
    "delete": lambda row: row.delete(),
    "update": lambda row: Session.objects.filter(pk=row.pk).update(request_count=3),
    "exists": lambda row: Session.objects.filter(pk=row.pk).exists(),
    "through the user": lambda row: list(PrivilegedUser.objects.filter(sessions__pk=row.pk)),
}


def months_of(sql: str) -> set[str]:
    """The months of sessions that the plan of a statement speaks of."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}")
        found: set[str] = set()
        todo = [cursor.fetchone()[0][0]["Plan"]]
    while todo:
        node = todo.pop()
        found |= {node["Relation Name"]} if node.get("Relation Name", "").startswith("sessions_") else set()
        todo += node.get("Plans", [])
    return found


@pytest.mark.parametrize("touch", TOUCHES)
def test_one_month_is_touched(session, touch):
    with CaptureQueriesContext(connection) as captured:
        TOUCHES[touch](session)
    about = [query["sql"] for query in captured if '"sessions"."id"' in query["sql"]]
    assert about
    for sql in about:
        assert months_of(sql) == {"sessions_2026_08"}


def test_without_the_time_all_months_are_touched(session):
    """The control: what a plain comparison would do."""
    assert len(months_of(f"SELECT * FROM sessions WHERE id = '{session.pk}'")) > 5


def test_a_key_without_time_is_found_wherever_it_is(session):
    old, key = session.pk, uuid4()
    Session.objects.filter(pk=old).delete()
    moved = make(Session, id=key, created_at=session.created_at, expires_at=session.expires_at)
    assert Session.objects.get(pk=key).pk == moved.pk
    other = make(Session)
    assert set(Session.objects.filter(pk__in=[key, other.pk])) == {moved, other}


def test_what_is_not_asked_for_is_not_excluded(session):
    other = make(Session)
    assert list(Session.objects.exclude(pk=other.pk)) == [session]
    assert list(Session.objects.exclude(pk__in=[other.pk])) == [session]
    assert not Session.objects.filter(pk__in=[]).exists()


def test_an_expression_carries_no_time(session):
    assert Session.objects.filter(pk=F("id")).count() == 1
    assert Session.objects.filter(pk__in=Session.objects.values("pk")).count() == 1
    mine = Session.objects.filter(pk=OuterRef("pk"))
    assert Session.objects.filter(models.Exists(mine)).count() == 1


def test_a_table_without_months_is_asked_as_ever():
    user = make(PrivilegedUser)
    with CaptureQueriesContext(connection) as captured:
        assert PrivilegedUser.objects.get(pk=user.pk) == user
    assert 'created_at" >=' not in captured[0]["sql"]


def test_an_event_is_found_by_its_key():
    event = make(AuditLog, timestamp=NOW)
    assert AuditLog.objects.get(pk=event.pk) == event
