"""A search of the log that has no beginning: page after page it goes back, and misses nothing."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from pam.admin import audit_search
from pam.admin.audit_search import searched_since
from pam.models import AuditLog, PrivilegedUser
from pam.postgres import catalog
from pam.postgres.monthly_catalog import months_of
from pam.postgres.months import Month
from tests.support.admin import sign_in, url
from tests.support.rows import make

pytestmark = pytest.mark.django_db

WORD = "zzyzx"
FAR_BACK = datetime(1970, 1, 1, 13, 37, 11, tzinfo=UTC)


@pytest.fixture
def there() -> list[Month]:
    """The months of the log, the newest first."""
    table = catalog.relation(connection, "audit_logs")
    assert table
    months = [one.month for one in months_of(connection, table) if one.month]
    assert len(months) > 2
    return months[::-1]


@pytest.fixture
def events(there: list[Month]) -> list[AuditLog]:
    """One at the last microsecond of each month, and one of before all of them; the newest first."""
    times = [month.end - timedelta(microseconds=1) for month in there]
    return [make(AuditLog, description=f"{WORD} {time}", timestamp=time) for time in (*times, FAR_BACK)]


def searched(browser: Client, query: str = "") -> Any:
    return browser.get(f"{url(AuditLog, 'changelist')}?q={WORD}{query}")


def rows_of(page: Any) -> list[AuditLog]:
    return list(page.context["cl"].result_list)


def further_back(page: Any) -> str:
    """The address behind the link."""
    found = re.search(r'<a href="([^"]+)">Search before ', page.content.decode())
    assert found
    assert found[1] == escape(page.context["cl"].further_back())
    return f"{url(AuditLog, 'changelist')}{page.context['cl'].further_back()}"


def test_few_events_are_searched_all_at_once(events: list[AuditLog]) -> None:
    page = searched(sign_in())

    assert rows_of(page) == events
    assert "Search before" not in page.content.decode()


def test_page_after_page_everything_is_found_once(
    events: list[AuditLog], there: list[Month], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However little a page may cost, it searches one month; the last one also what no month was made for."""
    monkeypatch.setattr(audit_search, "MOST", 0.0)
    browser = sign_in()
    page, found = searched(browser, "&result__exact=success"), []
    for month, event in zip(there[:-1], events, strict=False):
        assert f"Searched since {month.start:%B %Y} (UTC)." in page.content.decode()
        assert rows_of(page) == [event]
        found.append(event)
        page = browser.get(further_back(page))
    assert "Search before" not in page.content.decode()
    assert found + rows_of(page) == events


def test_who_says_since_when_is_taken_at_his_word(
    events: list[AuditLog], there: list[Month], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_search, "MOST", 0.0)
    browser = sign_in()
    for query, wanted in (
        ("&from=1969-01-01", events),
        (f"&happened={there[-1].year}", [event for event in events if event.timestamp.year == there[-1].year]),
    ):
        page = searched(browser, query)
        assert rows_of(page) == wanted
        assert "Search before" not in page.content.decode()


def test_the_page_says_that_an_export_searches_all_and_it_does(
    events: list[AuditLog], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_search, "MOST", 0.0)
    browser, now = sign_in(), make(AuditLog, description=WORD)

    assert "an export goes back all the way" in searched(browser).content.decode()
    sent: Any = browser.post(f"{reverse('admin:pam_auditlog_export')}?q={WORD}", {"format": "jsonl"})

    lines = b"".join(sent.streaming_content).decode().splitlines()
    assert [json.loads(line)["id"] for line in lines] == [str(now.pk), str(events[-1].pk)], "all until now"


def test_nothing_looked_for_is_still_nothing(events: list[AuditLog], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_search, "MOST", 0.0)
    page = sign_in().get(url(AuditLog, "changelist"), {"q": "zz"})
    assert rows_of(page) == []
    assert "Search before" not in page.content.decode()


@pytest.mark.parametrize(
    "query",
    [
        "&happened=2025&period=hour",
        "&happened=2026-03&to=2026-01-01",
        "&response_code=99999999999999999999",
        "&from=x",
    ],
)
def test_what_excludes_itself_finds_nothing(events: list[AuditLog], query: str) -> None:
    page = searched(sign_in(), query)
    assert page.status_code == 200
    assert rows_of(page) == []


def test_the_link_keeps_the_other_filters(events: list[AuditLog], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_search, "MOST", 0.0)
    browser = sign_in()
    page = searched(browser, "&previous_values__isnull=False&p=1")
    assert page.context["cl"].searched_since
    while page.context["cl"].searched_since:
        assert rows_of(page) == []
        assert "since then match" in page.content.decode()
        page = browser.get(further_back(page))
    assert rows_of(page) == []


def test_months_are_taken_while_they_cost_no_more_together(there: list[Month]) -> None:
    """What is not asked for costs nothing."""
    asked = there[1:]
    rows = AuditLog.objects.filter(timestamp__lt=asked[0].end)
    costs = audit_search._costs(rows)
    assert f"public.audit_logs_{there[0].suffix}" not in costs
    each = [costs[f"public.audit_logs_{month.suffix}"] for month in asked]
    assert min(each) > 0.1

    assert searched_since(rows, None, 0) == asked[0]
    assert searched_since(rows, None, sum(each[:2]) - 0.1) == asked[0]
    assert searched_since(rows, None, sum(each[:2]) + 0.1) == asked[1]
    assert searched_since(rows, None, sum(each) - 0.1) == asked[-2]
    assert searched_since(rows, None, sum(each) + 0.1) is None


def test_a_table_without_months_is_searched_as_a_whole() -> None:
    assert searched_since(PrivilegedUser.objects.all(), None, 0) is None
