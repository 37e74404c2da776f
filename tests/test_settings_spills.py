"""Spills on a real server: found by EXPLAIN, and gone with the memory that is advised."""

import re

import pytest
from django.db import connections
from django.db.models import Count

from pam.explain import spills
from pam.explain.query import Query
from pam.models import AuditLog, Session
from pam.workload import QUERIES
from tests.support.databases import database_name
from tests.support.settings import advised, of

KB, GB = 1 << 10, 1 << 30
SORT = "events_by_outcome"


def small_work_mem(alias: str) -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute(f"ALTER DATABASE \"{database_name(alias)}\" SET work_mem = '64kB'")
    connections[alias].close()


@pytest.fixture
def sorting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A further named query, of those that sort all events."""
    monkeypatch.setitem(
        QUERIES, SORT, Query(SORT, lambda data: AuditLog.objects.order_by("result", "action"), (), None, 1, 1)
    )


@pytest.mark.parametrize(
    ("rows", "avoided", "told_by_server"),
    [
        (AuditLog.objects.order_by("result", "action"), (), r"Sort: external merge, [\d,]+ kB on disk"),
        (
            Session.all_objects.select_related("user").order_by(),
            ("enable_nestloop", "enable_mergejoin"),
            r"Hash: \d+ batches on disk",
        ),
        (
            AuditLog.objects.values("source_ip", "session_id").annotate(n=Count("id")).order_by(),
            ("enable_sort",),
            r"Aggregate: \d+ batches, [\d,]+ kB on disk",
        ),
    ],
    ids=["sort", "hash join", "hashed aggregate"],
)
def test_each_kind_of_spill_is_found_and_ended(company, rows, avoided, told_by_server):
    """With 64 kB it spills, with what is enough it does not; where the planner has a choice, it is taken from it."""
    with connections[company].cursor() as cursor:
        for plan in avoided:
            cursor.execute(f"SET {plan} = off")
        cursor.execute("SET work_mem = '64kB'")
    before = spills.run(company, rows, timeout_ms=60_000)
    assert before.work_mem == 64 * KB
    assert re.fullmatch(told_by_server, before.spills[0])
    enough = spills.enough(company, rows, before, most=GB, timeout_ms=60_000)
    assert enough is not None
    with connections[company].cursor() as cursor:
        cursor.execute("SELECT set_config('work_mem', %s, false)", [f"{enough // KB}kB"])
    after = spills.run(company, rows, timeout_ms=60_000)
    assert (after.work_mem, after.spills) == (enough, ())
    assert spills.enough(company, rows, before, most=enough - 1, timeout_ms=60_000) is None
    connections[company].close()


def test_a_named_query_that_spills_gets_its_statement(company, sorting):
    """In a session of its own, as its user would type it: spills before, none after."""
    small_work_mem(company)
    document = advised(company, memory=300 << 20)
    (general, one) = of(document, "work_mem")
    assert general["statements"] == []
    assert (one["subject"], one["takes_effect"], one["has"]) == (SORT, "session", "64kB")
    assert f"{SORT} spills with 64kB (Sort: external merge, " in one["reason"]
    (statement,) = one["statements"]
    rows = AuditLog.objects.order_by("result", "action")
    assert spills.run(company, rows, timeout_ms=60_000).spills != ()
    with connections[company].cursor() as cursor:
        cursor.execute(statement)
    assert spills.run(company, rows, timeout_ms=60_000).spills == ()


def test_for_all_where_it_fits(company, sorting):
    """The value stands at the database, so that is what the statement changes; then nothing is left to say."""
    small_work_mem(company)
    (one,) = of(advised(company, memory=64 * GB), "work_mem")
    (statement,) = one["statements"]
    assert one["takes_effect"] == "new sessions"
    assert statement.startswith(f"ALTER DATABASE {database_name(company)} SET work_mem = '")
    with connections[company].cursor() as cursor:
        cursor.execute(statement)
    connections[company].close()
    (again,) = of(advised(company, memory=64 * GB), "work_mem")
    assert (again["status"], again["has"], again["statements"]) == ("ok", one["wants"], [])
    assert f"None of {len(QUERIES)} named queries spills" in again["reason"]
