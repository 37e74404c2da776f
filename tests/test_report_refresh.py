"""Nobody waits for a refresh: readers neither for one CONCURRENTLY nor behind a plain one; and what it costs."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

import psycopg2
import pytest
from django.db import connections
from psycopg2.extensions import connection as Connection

from pam.models import CredentialRotationReport
from pam.models.reports import REPORTS
from pam.partitions.tables import partitioned
from pam.postgres import locks
from pam.postgres.errors import LockUnavailable
from pam.postgres.locks import Patience
from pam.postgres.monthly import add_month
from pam.postgres.months import Month, months
from tests.support.databases import session
from tests.support.threads import actor, failure_of, until, writers

VIEW = "report_credential_rotation"
QUICK = Patience(lock_timeout_ms=50, attempts=3, first_pause=0.05, longest_pause=0.05)
HOLDS = """
SELECT array_agg(mode ORDER BY mode) FILTER (WHERE granted AND relation = %(view)s::regclass),
    bool_or(NOT granted AND relation = 'credentials'::regclass)
FROM pg_locks WHERE pid = %(pid)s AND locktype = 'relation'
"""


@contextmanager
def refresh_in_the_middle(alias: str, word: str) -> Iterator[Connection]:
    """A refresh that has taken its lock on the view and waits within its query: somebody holds a table it reads."""
    with session(alias) as holder, holder.cursor() as holding, session(alias) as refresher:
        holding.execute("BEGIN; LOCK TABLE credentials IN ACCESS EXCLUSIVE MODE")

        def refresh() -> None:
            with refresher.cursor() as cursor:
                cursor.execute(f"REFRESH MATERIALIZED VIEW {word} {VIEW}")

        with actor(refresh):
            try:
                until(lambda: lock_of(alias, refresher)[1], "the refresh waits for the table")
                yield refresher
                assert lock_of(alias, refresher)[1], "it was in the middle all the time"
            finally:
                holding.execute("ROLLBACK")


def lock_of(alias: str, who: Connection) -> Any:
    """The modes in which a session holds the view, and whether it waits for the table."""
    with connections[alias].cursor() as cursor:
        cursor.execute(HOLDS, {"view": VIEW, "pid": who.info.backend_pid})
        return cursor.fetchone()


def test_a_reader_is_served_in_the_middle_of_a_concurrent_refresh(company: str) -> None:
    CredentialRotationReport.refresh(using=company)
    before = list(CredentialRotationReport.objects.using(company).order_by("key"))
    with refresh_in_the_middle(company, "CONCURRENTLY") as refresher:
        held = lock_of(company, refresher)[0]
        assert "ExclusiveLock" in held
        assert "AccessExclusiveLock" not in held
        with session(company) as reading, reading.cursor() as reader:
            # The first wait for a lock that lasts a millisecond would be an error.
            reader.execute("SET lock_timeout = 1")
            for _ in range(50):
                reader.execute(f"SELECT key FROM {VIEW} ORDER BY key")
                assert [key for (key,) in reader.fetchall()] == [row.key for row in before]
    after = CredentialRotationReport.objects.using(company)
    assert after.count() == len(before) > 0
    assert after.first().refreshed_at > before[0].refreshed_at  # type: ignore[union-attr]


def test_a_plain_refresh_does_make_a_reader_wait(company: str) -> None:
    """The control of the test above."""
    with refresh_in_the_middle(company, "") as refresher:
        assert "AccessExclusiveLock" in lock_of(company, refresher)[0]
        with session(company) as reading, reading.cursor() as reader:
            reader.execute("SET lock_timeout = 50")
            with pytest.raises(psycopg2.errors.LockNotAvailable):
                reader.execute(f"SELECT count(*) FROM {VIEW}")


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.__name__)
def test_readers_all_the_while_never_wait(company: str, report: Any) -> None:
    """Four of them, for each of whom a wait of a millisecond for a lock would be an error; each sees all or nothing."""
    report.refresh(using=company)
    seen: set[datetime] = set()

    def read(reader: int, number: int) -> None:
        with connections[company].cursor() as cursor:
            if number == 0:
                cursor.execute("SET lock_timeout = 1")
            cursor.execute(f"SELECT DISTINCT refreshed_at FROM {report._meta.db_table}")
            times = [time for (time,) in cursor.fetchall()]
            assert len(times) <= 1, "rows of two refreshes"
            seen.update(times)

    with writers(4, read) as done:
        for _ in range(5):
            steps = list(done)
            report.refresh(concurrently=True, using=company)
            until(partial(all_beyond, done, steps), "each has read again")
    if report.objects.using(company).exists():
        assert len(seen) > 1


def all_beyond(now: list[int], then: list[int]) -> bool:
    return all(more > less for more, less in zip(now, then, strict=True))


def test_a_plain_refresh_gives_way_and_names_the_reader(company: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report is read in a transaction that does not end: nobody who comes later queues behind the refresh."""
    monkeypatch.setattr(locks, "BRIEF", QUICK)
    served = 0
    with session(company) as reading, reading.cursor() as cursor, session(company) as later, later.cursor() as reader:
        cursor.execute(f"BEGIN; SELECT count(*) FROM {VIEW}")
        reader.execute("SET lock_timeout = 1000")
        with actor(lambda: CredentialRotationReport.refresh(using=company)) as refresh:
            while not refresh.done():
                reader.execute(f"SELECT count(*) FROM {VIEW}")
                served += 1
            error = failure_of(refresh)
        assert isinstance(error, LockUnavailable)
        assert reading.info.backend_pid in [holder.pid for holder in error.holders]
        assert f"python manage.py pgrefreshmv pam CredentialRotationReport --database {company}" in str(error)
        CredentialRotationReport.refresh(concurrently=True, using=company)
    assert served > 0


# What it costs


def make_months(alias: str, number: int, rows: int) -> None:
    """Months before this one, each with so many events, and the two that count."""
    (table,) = [one for one in partitioned(alias) if one.layout.table == '"audit_logs"']
    last = Month.of(datetime.now(UTC))
    for month in months(last.plus(-number), last):
        add_month(table.connection, table.move, month)
    with connections[alias].cursor() as cursor:
        for month in months(last.plus(-number), last):
            cursor.execute(
                "INSERT INTO audit_logs (id, event_type, action, result, description, timestamp)"
                " SELECT gen_random_uuid(), 'configuration', 'change', 'success', 'x',"
                " %s + n * interval '1 second' FROM generate_series(1, %s) n",
                [month.start, rows],
            )
        cursor.execute("VACUUM (ANALYZE) audit_logs")


def cost(alias: str) -> tuple[int, int, set[str]]:
    """The buffers that the defining query touches when it is planned and when it runs, and the partitions it reads."""
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT pg_get_viewdef('report_audit_events'::regclass)")
        (query,) = cursor.fetchone()
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}")
        ((answer,),) = cursor.fetchall()
    (found,) = answer if isinstance(answer, list) else json.loads(answer)
    plan = found["Plan"]
    planning, running = (one["Shared Hit Blocks"] + one["Shared Read Blocks"] for one in (found["Planning"], plan))
    return planning, running, set(_relations(plan))


def _relations(node: dict[str, Any]) -> Iterator[str]:
    if "Relation Name" in node:
        yield node["Relation Name"]
    for child in node.get("Plans", []):
        yield from _relations(child)


def test_a_refresh_costs_the_same_however_old_the_database_is(migrated: str) -> None:
    this = Month.of(datetime.now(UTC))
    two = {f"audit_logs_{month.suffix}" for month in (this.plus(-1), this)}
    make_months(migrated, 3, 2000)
    _, few, touched = cost(migrated)
    assert touched == two
    make_months(migrated, 84, 0)
    with connections[migrated].cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_logs (id, event_type, action, result, description, timestamp)"
            " SELECT gen_random_uuid(), 'configuration', 'change', 'success', 'x', %s - n * interval '1 hour'"
            " FROM generate_series(1, 50000) n",
            [this.plus(-1).start],
        )
        cursor.execute("VACUUM (ANALYZE) audit_logs")
    planning, many, touched = cost(migrated)
    assert touched == two
    assert many == few > 2000 / 100
    assert planning < 200 * 90, "to plan it, the server looks into the catalog for each month, and no further"
    assert read_by_a_refresh(migrated) == two


def read_by_a_refresh(alias: str) -> set[str]:
    """The partitions that the server counts as read within the transaction of a real refresh."""
    with session(alias) as other, other.cursor() as cursor:
        cursor.execute(
            "SET max_parallel_workers_per_gather = 0; BEGIN; REFRESH MATERIALIZED VIEW CONCURRENTLY report_audit_events"
        )
        cursor.execute(
            "SELECT relname FROM pg_stat_xact_user_tables WHERE relname LIKE 'audit_logs%'"
            " AND coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) > 0"
        )
        found = {name for (name,) in cursor.fetchall()}
        cursor.execute("ROLLBACK")
    return found
