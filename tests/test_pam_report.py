"""`manage.py pam_report`: one page that says all, needs nothing else, and believes no name."""

import io
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from pam.monitoring.report import page, report
from pam.monitoring.size_history import keep, measure
from pam.workload import QUERIES

NOW = datetime(2026, 11, 20, 13, 37, 11, tzinfo=UTC)


class Page(HTMLParser):
    """The tags that are open, the text under each heading, and all addresses."""

    VOID = ("meta", "br", "path", "use", "rect")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sections: dict[str, str] = {}
        self.addresses: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "action")]
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "h2":
            self.sections[""] = ""

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "h2":
            self.sections[data] = ""
        elif self.sections and "style" not in self.open:
            self.sections[list(self.sections)[-1]] += f" {data.strip()}"


def of(alias: str, now: datetime = NOW) -> Page:
    found = Page(page(report(alias, now, memory=4 << 30, budget=None)))
    assert found.open == []
    return found


def test_all_sections(company):
    for day in range(3):
        assert keep(company, measure(company), NOW - timedelta(days=2 - day)) is None
    found = of(company)
    assert list(found.sections) == [
        "",
        "Findings",
        "Phases",
        "Partitions",
        "Sizes and growth",
        "Named queries",
        "Indexes",
        "Settings",
    ]
    assert re.findall(r"\d [a-z ,]+? (applied|not applied|partly applied)", found.sections["Phases"]) == ["applied"] * 3
    assert "public.audit_logs" in found.sections["Sizes and growth"]
    assert all(name in found.sections["Named queries"] for name in QUERIES)
    assert "ix_audit_logs_search_gin" in found.sections["Indexes"]
    assert "work_mem" in found.sections["Settings"]
    assert "svg" in found.tags


def test_it_asks_nobody_else(company):
    found = of(company)
    assert not found.tags & {"script", "link", "img", "iframe", "object", "base", "form"}
    assert [address for address in found.addresses if not address.startswith("#")] == []
    text = page(report(company, NOW, memory=None, budget=None))
    assert not re.search(r"url\((?!#)|@import", text)


def test_what_is_wrong_is_there_with_its_cure(company):
    with connections[company].cursor() as cursor:
        cursor.execute("DROP INDEX ix_audit_logs_compliance_gin")
    found = of(company)
    assert "index-missing" in found.sections["Findings"]
    assert "python manage.py migrate --fake pam 0003_phase2_trigram_extension" in found.sections["Findings"]
    assert "FAIL compliance_events" in " ".join(found.sections["Named queries"].split())


def test_a_name_is_shown_and_not_run(company):
    with connections[company].cursor() as cursor:
        cursor.execute('CREATE INDEX "<script>alert(1)</script>" ON credentials (version)')
    found = of(company)
    assert "script" not in found.tags
    assert "<script>alert(1)</script>" in found.sections["Indexes"]


def test_a_database_without_tables(database):
    found = of(database)
    assert "not-migrated" in found.sections["Findings"]
    assert "No table is partitioned" in found.sections["Partitions"]
    assert "python manage.py showmigrations pam" in found.sections["Named queries"]
    assert "showmigrations" in found.sections["Indexes"]


def test_a_database_without_rows(migrated):
    found = of(migrated)
    assert "Load a company: python manage.py pam_load" in found.sections["Named queries"]


def test_the_command(company, tmp_path: Path):
    file, out = tmp_path / "report.html", io.StringIO()
    call_command("pam_report", output=file, database=company, stdout=out)
    assert out.getvalue().startswith(f"{file}: ")
    assert Page(file.read_text(encoding="utf-8")).sections
    out = io.StringIO()
    call_command("pam_report", database=company, stdout=out)
    assert out.getvalue().startswith("<!DOCTYPE html>")


def test_no_place_for_the_file(company, tmp_path: Path):
    with pytest.raises(CommandError, match="is no place for a file"):
        call_command("pam_report", output=tmp_path / "no" / "report.html", database=company)
    with pytest.raises(CommandError, match="is no place for a file"):
        call_command("pam_report", output=tmp_path, database=company)
