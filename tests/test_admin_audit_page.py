"""The page of an event: what changed, its details, and what happened around it."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client

from pam.models import AuditLog
from tests.support.admin import sign_in, url
from tests.support.rows import make

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
