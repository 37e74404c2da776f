"""Events and sessions are reached by year, month and day, which read the partitions of that time alone."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, connections, models
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from pam.admin.periods import Period, months_there, parts
from pam.models import AuditLog, Session
from pam.postgres.months import Month
from pam.postgres.uuid7 import uuid7_at
from tests.support.admin import found, sign_in, url
from tests.support.rows import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser() -> Client:
    return sign_in()


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026", (2026, 1, 1), (2027, 1, 1)),
        ("2026-12", (2026, 12, 1), (2027, 1, 1)),
        ("2024-02-29", (2024, 2, 29), (2024, 3, 1)),
    ],
)
def test_a_period_ends_where_the_next_begins(text: str, start: tuple[int, ...], end: tuple[int, ...]) -> None:
    period = Period.read(text)

    assert (period.start, period.end) == (datetime(*start, tzinfo=UTC), datetime(*end, tzinfo=UTC))  # type: ignore[arg-type,misc]


@pytest.mark.parametrize("text", ["x", "0000", "9999", "2026-13", "2026-02-30", "2026-2", "2026-03-17x", "٢٠٢٦"])
def test_what_is_no_period_is_told_by_the_page(browser: Client, text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Period.read(text)

    response = browser.get(url(AuditLog, "changelist"), {"happened": text})
    assert response.status_code == 302
    assert response["Location"].endswith("?e=1")


def test_periods_lead_from_years_to_days() -> None:
    there = [Month(2025, 12), Month(2026, 1), Month(2026, 2)]

    assert parts(None, there) == ["2026", "2025"]
    assert parts(Period.read("2026"), there) == ["2026-01", "2026-02"]
    assert parts(Period.read("2026-02"), there)[-1] == "2026-02-28"
    assert parts(Period.read("2026-02-03"), there) == []


def test_months_are_those_of_the_partitions_and_of_a_plain_table_those_of_its_rows(phase2: str) -> None:
    this = Month.of(timezone.now())
    with connections[phase2].cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_logs (id, event_type, action, result, description, timestamp)"
            " SELECT id::uuid, 'configuration', 'change', 'success', 'x', time"
            " FROM (VALUES (%s, %s::timestamptz), (%s, %s)) event (id, time)",
            [value for time in (this.plus(-2).start, timezone.now()) for value in (str(uuid7_at(time)), time)],
        )

    assert months_there(connection, AuditLog, "timestamp", timezone.now()) == [this]
    there = months_there(connections[phase2], AuditLog, "timestamp", timezone.now())
    assert there == [this.plus(-2), this.plus(-1), this]
    assert months_there(connections[phase2], Session, "created_at", timezone.now()) == []


@pytest.mark.parametrize(
    ("model", "time", "name"), [(AuditLog, "timestamp", "happened"), (Session, "created_at", "began")]
)
def test_a_month_has_its_first_moment_and_not_that_of_the_next(
    browser: Client, model: type[models.Model], time: str, name: str
) -> None:
    this = Month.of(timezone.now())
    rows = [
        make(model, **{time: at} | ({"expires_at": at + timedelta(hours=8)} if model is Session else {}))
        for at in (this.start, this.end - timedelta(microseconds=1), this.end, this.start - timedelta(microseconds=1))
    ]
    text = this.suffix.replace("_", "-")

    assert set(found(browser, model, **{name: text})) == set(rows[:2])
    assert set(found(browser, model, **{name: f"{text}-01"})) == {rows[0]}
    assert set(found(browser, model, **{name: text[:4]})) >= set(rows[:2])


@pytest.mark.parametrize(("model", "name"), [(AuditLog, "happened"), (Session, "began")])
def test_a_month_reads_its_partition_only(browser: Client, model: type[models.Model], name: str) -> None:
    this = Month.of(timezone.now())
    with CaptureQueriesContext(connection) as captured:
        browser.get(url(model, "changelist"), {name: this.suffix.replace("_", "-")})
    own = f'FROM "{model._meta.db_table}"'
    read = [query["sql"] for query in captured if own in query["sql"] and not query["sql"].startswith("EXPLAIN")]

    assert len(read) == 1, "the rows, which are counted by being read"
    for statement in read:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {statement}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
        assert f"{model._meta.db_table}_{this.suffix}" in plan
        assert this.plus(1).suffix not in plan
        assert "default" not in plan
