"""What each page of the admin costs on many rows, against what it costs on few: at most twice as much.

A page whose filter finds few of the few rows is held against the first page of its list, without a filter: there 50
rows are shown and 5,000 counted as well.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.contrib.humanize.templatetags.humanize import intcomma
from django.db import connections
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from pam.admin.paginator import CappedPaginator
from pam.health.indexes import ADMIN
from pam.models import (
    AuditLog,
    Credential,
    CredentialRotation,
    DirectoryRole,
    PrivilegedUser,
    RoleAssignment,
    ServiceIdentity,
    Session,
)
from pam.models.reports import REPORTS
from pam.monitoring.index_report import index_report
from tests.support.admin_pages import FIRST, pages
from tests.support.at_size import Cost, browser_of, cost_of, fill
from tests.support.databases import throwaway_database

TABLES: list[Any] = [
    PrivilegedUser,
    ServiceIdentity,
    Credential,
    CredentialRotation,
    RoleAssignment,
    Session,
    AuditLog,
    DirectoryRole,
]
TWICE = 2
# Of so few rows an index is one page, of ten times as many it has two levels.
THRICE = 3
# Of a page, each of which may lie on a page of the table for itself.
ROWS = 50
FEW = "finds few of the few rows: held against the list without a filter"
ALL: list[Any] = [*TABLES, *REPORTS]
FEW_ROWS, MANY_ROWS, MANY_EVENTS = 10_000, 1_000_000, 10_000_000
DOCUMENT = Path(__file__).parent.parent / "docs" / "admin-size.md"
OF_EVENTS = DOCUMENT.with_name("admin-size-events.md")

# Costs by table, and by page.
Costs = dict[str, dict[str, Cost]]


@dataclass(frozen=True)
class Judged:
    """A page: its cost on few and on many rows, how often the one goes into the other, and what it was held against."""

    table: str
    page: str
    few: Cost
    many: Cost
    allowed: int
    why: str

    @property
    def ratio(self) -> float:
        return self.many.buffers / max(1, self.few.buffers)

    @property
    def is_well(self) -> bool:
        return self.many.buffers <= self.allowed and self.many.queries <= TWICE * self.few.queries

    def __str__(self) -> str:
        return f"{self.table}, {self.page}: {self.few} {self.many}, at most {self.allowed} buffers"


def costs(alias: str, models: list[Any], *, some: bool) -> Costs:
    found: Costs = {}
    with browser_of(alias) as browser:
        for model in models:
            found[str(model._meta.verbose_name_plural)] = {
                page: cost_of(browser, alias, address)
                for page, address in pages(browser, model, some=some or model in REPORTS)
            }
    return found


def judged(few: Costs, many: Costs, times: int) -> list[Judged]:
    """Every page that is there in both sizes, which may cost so many times as much."""
    found = []
    for table in many:
        first = few[table][FIRST].buffers
        for page in (page for page in many[table] if page in few[table]):
            it, other = few[table][page], many[table][page]
            if other.buffers <= times * it.buffers:
                allowed, why = times * it.buffers, ""
            else:
                allowed, why = times * max(it.buffers, first, ROWS), FEW
            found.append(Judged(table, page, it, other, allowed, why))
    return found


def unread(alias: str) -> list[str]:
    """Indexes that were made for the lists, and that no page has read."""
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
    report = index_report(connections[alias], (), timezone.now(), measure=False)
    purposes = report.judgement.purposes
    return [one.name for one in report.facts.indexes if ADMIN in purposes[one.oid] and not one.scans]


def both(template: str, sizes: list[tuple[int, int]], months: int, models: list[Any], *, some: bool) -> list[Judged]:
    """What the pages cost in the first and in the second of two sizes: of each table, and of the events."""
    found = []
    for rows, events in sizes:
        with throwaway_database("sized", template) as alias:
            fill(alias, rows, months, events)
            if some:
                # So few rows are read as quickly without an index: what is asked here is whether there is one.
                with connections[alias].cursor() as cursor:
                    cursor.execute("SET enable_seqscan = off")
            found.append(costs(alias, models, some=some))
            if models == ALL and (rows, events) == sizes[1]:
                assert unread(alias) == []
    few, many = found
    return judged(few, many, THRICE if some else TWICE)


def test_pages_of_ten_times_as_many_rows(
    django_db_blocker: DjangoDbBlocker, migrated_template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CappedPaginator, "most", 200)
    monkeypatch.setattr(CappedPaginator, "most_counted", 200)
    growing = [model for model in TABLES if model is not DirectoryRole]
    with django_db_blocker.unblock():
        found = both(migrated_template, [(400, 400), (4_000, 4_000)], 3, growing, some=True)

    assert len(found) > 3 * len(growing)
    assert [str(one) for one in found if not one.is_well] == []


@pytest.mark.scale
def test_pages_of_a_million_rows_in_84_months(django_db_blocker: DjangoDbBlocker, migrated_template: str) -> None:
    with django_db_blocker.unblock():
        found = both(migrated_template, [(FEW_ROWS, FEW_ROWS), (MANY_ROWS, MANY_ROWS)], 84, ALL, some=False)

    DOCUMENT.write_text(as_text(found, "rows in each table that grows", MANY_ROWS), encoding="utf-8")
    assert [str(one) for one in found if not one.is_well] == []


@pytest.mark.scale
def test_pages_of_ten_million_events_in_84_months(django_db_blocker: DjangoDbBlocker, migrated_template: str) -> None:
    with django_db_blocker.unblock():
        found = both(migrated_template, [(FEW_ROWS, FEW_ROWS), (FEW_ROWS, MANY_EVENTS)], 84, [AuditLog], some=False)

    OF_EVENTS.write_text(as_text(found, "audit events", MANY_EVENTS), encoding="utf-8")
    assert [str(one) for one in found if not one.is_well] == []


def as_text(found: list[Judged], what: str, many: int) -> str:
    """The document that shows all of it."""
    dear = [one for one in found if one.ratio > TWICE]
    lines = [
        "# What the pages of the admin cost at size",
        "",
        f"Written by `python -m pytest -m scale tests/test_admin_size.py`: {many:,} {what},",
        f"against {FEW_ROWS:,}, with audit events and sessions in 84 months both times. Buffers are pages of 8 kB that",
        "the queries read, found in memory or not.",
        "",
        f"Of {len(found)} pages, {len(found) - len(dear)} cost at most twice as much. {len(dear)} find so few of the",
        "few rows that they show or count less; they cost at most twice what their list costs without a filter.",
    ]
    for table in dict.fromkeys(one.table for one in found):
        lines += ["", f"## {table.capitalize()}", ""]
        lines += [f"| page | queries | buffers, {FEW_ROWS:,} rows | {many:,} rows | ratio | |"]
        lines += ["| --- | ---: | ---: | ---: | ---: | --- |"]
        lines += [
            f"| {one.page} | {one.many.queries} | {intcomma(one.few.buffers)} | {intcomma(one.many.buffers)}"
            f" | {one.ratio:.2f} | {one.why if one.ratio > TWICE else ''} |"
            for one in found
            if one.table == table
        ]
    return "\n".join(lines) + "\n"
