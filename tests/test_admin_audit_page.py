"""The page of an event: what changed, its details, and what happened around it."""

import re
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from pam.admin.audit_around import MOST, TIES, around, tied
from pam.explain.plans import explain
from pam.models import AuditLog, PrivilegedUser
from tests.support.admin import sign_in, url
from tests.support.rows import CLOCK, insert, make

pytestmark = pytest.mark.django_db

RTL = "\u202egpj.exe"


@pytest.fixture
def browser() -> Client:
    return sign_in()


class Cells(HTMLParser):
    """The texts of the rows of a page's tables, by heading of the section; and the tags that are on the page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._heading = self._open = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "h2":
            self._open, self._heading = tag, ""
        elif tag == "tr":
            self.tables.setdefault(self._heading, []).append([])
        elif tag in ("td", "th") and self.tables:
            self._open = tag
            self.tables[self._heading][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._open:
            self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open == "h2":
            self._heading += data
        elif self._open:
            row = self.tables[self._heading][-1]
            row[-1] = f"{row[-1]} {data.strip()}".strip()


def cells(browser: Client, event: AuditLog) -> Cells:
    response: Any = browser.get(url(AuditLog, "change", event))
    assert response.status_code == 200
    return Cells(response.content.decode())


def test_what_changed_and_the_details_are_tables_with_headers(browser: Client) -> None:
    event = make(
        AuditLog,
        previous_values={"status": "active", "note": ""},
        new_values={"status": "suspended", "note": "x" * 10_000, "end": None},
        details='{"ticket": {"number": 7}}',
    )

    tables = cells(browser, event).tables

    assert tables["What changed"] == [
        ["Value", "Change", "Before", "After"],
        ["end", "added", "(none)", "null"],
        ["note", "changed", "(empty text)", "x" * 500 + " … 9,500 more characters"],
        ["status", "changed", "active", "suspended"],
    ]
    assert tables["Details"] == [["Value", "What it says"], ["ticket.number", "7"]]


def test_more_than_is_shown_is_counted(browser: Client) -> None:
    event = make(AuditLog, new_values={str(n): n for n in range(1_350)})

    assert cells(browser, event).tables["What changed"][-1] == ["… 1,250 more, below under “As recorded”"]


def test_nothing_changed_and_nothing_said(browser: Client) -> None:
    tables = cells(browser, make(AuditLog)).tables

    assert "What changed" not in tables
    assert "Details" not in tables


def test_text_stays_text_and_its_direction_stays_in_its_cell(browser: Client) -> None:
    odd = f"<script>alert(1)</script>{RTL}"
    event = make(AuditLog, previous_values={odd: odd}, new_values={odd: "x"}, details=odd, description=odd)

    found = cells(browser, event)

    assert found.tables["What changed"][1] == [odd, "changed", odd, "x"]
    assert found.tables["Details"][1] == ["Text", odd]
    response: Any = browser.get(url(AuditLog, "change", event))
    page = response.content.decode()
    assert "<script>alert" not in page
    sections = page[page.index('<section class="module pam-event"') : page.rindex("</section>")]
    assert sections.count(RTL) == len(re.findall(f"<bdi[^>]*>[^<]*{RTL}", sections)) == 3
    assert not [tag for tag, attributes in found.tags if tag == "style" or "style" in attributes]


SECOND = timedelta(seconds=1)
SESSION = UUID(int=77)


def test_around_an_event_are_those_with_the_same_tie_in_a_window(browser: Client) -> None:
    event = make(AuditLog, session_id=SESSION, correlation_id="c-1")
    same = {"session_id": SESSION, "target_resource_name": RTL}
    for action, offset in (("too_early", -86_402), ("early", -86_399), ("late", 86_399), ("too_late", 86_402)):
        make(AuditLog, action=action, timestamp=CLOCK + offset * SECOND, **same)
    make(AuditLog, action="of_another", session_id=UUID(int=78), correlation_id="c-2")
    make(AuditLog, action="correlated", correlation_id="c-1", timestamp=CLOCK + SECOND, actor_upn="ann@example.com")

    found = cells(browser, event)

    heading = ["Time (UTC)", "Action", "Result", "Actor", "Target"]
    assert found.tables["Around this event"] == [
        heading,
        ["2026-03-16 14:23:46.678901", "early", "success", "-", RTL],
        ["2026-03-18 14:23:44.678901", "late", "success", "-", RTL],
        heading,
        ["2026-03-17 14:23:46.678901", "correlated", "success", "ann@example.com", "-"],
    ]
    response: Any = browser.get(url(AuditLog, "change", event))
    assert "From 2026-03-16 14:23:45 to before 2026-03-18 14:23:46 UTC." in response.content.decode()


def test_the_link_to_the_list_shows_the_event_and_those_around_it(browser: Client) -> None:
    event = make(AuditLog, session_id=SESSION, correlation_id="a&b=c", request_id="r")
    make(AuditLog, session_id=SESSION, correlation_id="a&b=c", request_id="r")
    make(AuditLog, correlation_id="other")

    page: Any = browser.get(url(AuditLog, "change", event))
    links = [tie.query for tie in page.context["around"]]

    assert len(links) == len(TIES) == 3
    for link in links:
        response: Any = browser.get(f"{url(AuditLog, 'changelist')}?{link}")
        assert response.context["cl"].result_count == 2, link


def test_the_nearest_are_shown_by_one_query(browser: Client) -> None:
    event = make(AuditLog, session_id=SESSION)
    for offset in range(1, MOST + 2):
        make(AuditLog, session_id=SESSION, timestamp=CLOCK + offset * SECOND, action=f"number_{offset}")

    with CaptureQueriesContext(connection) as captured:
        (tie,) = around(event, AuditLog.objects.all())

    assert len(captured) == 1
    assert [row.action for row in tie.events] == [f"number_{offset}" for offset in range(1, MOST + 1)]
    assert tie.are_more
    assert "further from this event" in str(cells(browser, event).tables["Around this event"][-1])


def test_an_event_without_ties_has_nothing_around_it(browser: Client) -> None:
    assert "Around this event" not in cells(browser, make(AuditLog)).tables


def test_what_is_around_an_event_is_found_by_an_index_in_two_months_at_most(company: str) -> None:
    events = AuditLog.objects.using(company)
    event = events.filter(session_id__isnull=False, correlation_id__isnull=False).order_by("timestamp")[1000]
    by_session, by_time = "ix_audit_logs_session_correlation", "ix_audit_logs_timestamp_type"
    # In a small month, to read the whole index that has the correlation as its second column may be as good.
    serve = {"session_id": {by_session}, "correlation_id": {by_time, by_session}, "request_id": {by_time}}

    for column, (_, span) in TIES.items():
        facts = explain(company, tied(event, events.all(), column, span)[:22], analyze=True, timeout_ms=10_000)

        assert facts.indexes, column
        assert set(facts.indexes) <= serve[column], column
        assert facts.partitions <= 2 < facts.partitions_there, column
        assert facts.scanned_pages == 0, column


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ('{"a": 1e5000}', "10000000"),
        ("[" * 5_000 + "]" * 5_000, "[[[["),
        ("[" * 930 + "7" + "]" * 930, "[[[["),
    ],
    ids=["a number of 5,001 digits", "5,000 levels", "930 levels"],
)
def test_what_python_cannot_read_hides_neither_its_event_nor_others(browser: Client, stored: str, shown: str) -> None:
    """Whoever may write events, or deep JSON anywhere, would otherwise make the log unreadable."""
    user = make(PrivilegedUser, upn="ann@contoso.example")
    make(AuditLog, description="before", actor_upn=user.upn)
    key = insert(AuditLog, description="odd", actor_upn=user.upn, new_values=stored, previous_values='{"b": 2}')
    for address in (url(AuditLog, "changelist"), url(PrivilegedUser, "change", user)):
        page = browser.get(address)
        assert page.status_code == 200
        assert page.content.decode().count("/admin/pam/auditlog/0") == 2, address
    page = browser.get(url(AuditLog, "change", AuditLog(pk=key)))
    assert (page.status_code, shown in page.content.decode()) == (200, True)
