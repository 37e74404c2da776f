"""The audit log as a file: who may take it, what is in it, its event, and what it costs."""

import csv
import io
import json
import re
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import OperationalError, connections
from django.test import Client, override_settings
from django.urls import reverse

from pam.admin import audit_export, audit_lines
from pam.admin.audit_export import COLUMNS, JSON_COLUMNS
from pam.admin.audit_lines import csv_lines, json_lines
from pam.models import AuditLog
from pam.staff_roles import ROLES
from tests.support.admin import sign_in, told, url
from tests.support.bulk import add_audit_rows
from tests.support.databases import session
from tests.support.months import partitions
from tests.support.routers import Everything
from tests.support.rows import CLOCK, make
from tests.support.staff import browser_of

ODD = '=cmd|"/c calc"!A1, \u202egpj.exe\r\n<script>'
NO_TRAIL = """
    CREATE FUNCTION no_trail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no trail today'; END $$;
    CREATE TRIGGER no_trail BEFORE INSERT ON audit_logs FOR EACH ROW EXECUTE FUNCTION no_trail();
"""

# An event of now, which an export in the order of time would send last.
NOW = """
    INSERT INTO audit_logs (id, event_type, action, result, "timestamp", description)
    VALUES (gen_random_uuid(), 'authentication', 'read', 'success', now(), 'late')
"""
SAME_TIME = """
    INSERT INTO audit_logs (id, event_type, action, result, "timestamp", description)
    SELECT gen_random_uuid(), 'authentication', 'read', 'success', %s, 'at once' FROM generate_series(1, 7)
"""
TRANSACTIONS = """
    SELECT count(*) FROM pg_catalog.pg_stat_activity
    WHERE datname = current_database() AND xact_start IS NOT NULL AND pid <> pg_backend_pid()
"""


def export(browser: Client, kind: str, query: str = "") -> Any:
    return browser.post(f"{reverse('admin:pam_auditlog_export')}?{query}", {"format": kind})


def text_of(response: Any) -> str:
    return b"".join(response.streaming_content).decode()


def exports() -> list[AuditLog]:
    return list(AuditLog.objects.filter(action="auditlog.exported"))


class TestLines:
    """The text of the file, without a database."""

    @pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
    def test_no_cell_is_a_formula(self, first: str) -> None:
        rows = [(first + "1+1", f"a{first}", f"'{first}", -1, None, "")]

        _, line = csv_lines("abcde", "f", rows)

        assert list(csv.reader(io.StringIO(line, newline=""))) == [
            [f"'{first}1+1", f"a{first}", f"'{first}", "-1", "", ""]
        ]

    @pytest.mark.parametrize("between", [";", "\t", "\n", "\r\n", ';"', '; "'])
    @pytest.mark.parametrize("first", "=+-@\uff1d")
    def test_nor_is_a_part_of_one_where_semicolons_or_tabs_part_cells(self, between: str, first: str) -> None:
        part = f"{between}{first}cmd|' /C calc'!A0;b"
        json_column = json.dumps({"name": f"x;{first}1"}, ensure_ascii=False)

        _, line = csv_lines("ab", "c", [(f"x{part}", f"x;b {first} 1,{first}1", json_column)])

        cells = [cell.strip(' "') for row in line.splitlines() for cell in re.split("[;\t]", row)]
        assert not [cell for cell in cells if cell.startswith(tuple("=+-@\uff1d"))]
        (read,) = csv.reader(io.StringIO(line, newline=""))
        assert read[1] == f"x;b {first} 1,{first}1", "what begins like none is left alone"

    def test_csv_is_quoted_as_rfc_4180_has_it(self) -> None:
        time = datetime(2026, 3, 1, 13, tzinfo=UTC)
        text = "".join(csv_lines("ab", "", [('say "x",\r\ny', time), (["S", "P"], True), (UUID(int=7), 1.5)]))

        assert text == (
            'a,b\r\n"say ""x"",\r\ny",2026-03-01T13:00:00.000000Z\r\n'
            '"[""S"", ""P""]",true\r\n00000000-0000-0000-0000-000000000007,1.5\r\n'
        )

    def test_json_is_a_line_for_each_row_and_loses_nothing(self) -> None:
        number = '{"n": 0.12345678901234567890123, "m": 1e400}'
        rows = [(ODD, None, CLOCK, number, None), ("é", ["S"], None, None, "[]")]
        text = "".join(json_lines("tlc", "jk", rows))

        assert text.splitlines() == [
            f'{{"t": {json.dumps(ODD, ensure_ascii=False)}, "l": null, "c": "2026-03-17T14:23:45.678901Z", '
            f'"j": {number}, "k": null}}',
            '{"t": "é", "l": ["S"], "c": null, "j": null, "k": []}',
        ]


@pytest.mark.django_db
class TestRows:
    """What is in the file."""

    def test_all_columns_of_the_rows_that_the_list_shows_and_no_hash(self) -> None:
        browser = sign_in()
        for text in (ODD, "plain"):
            make(
                AuditLog,
                description=text,
                new_values={"b": 1, "a": [None, ODD]},
                compliance_frameworks=["SOX"],
                checksum="ab" * 32,
                signature="signed-by-nobody",
                source_ip="192.0.2.7",
                result="denied",
            )
        make(AuditLog, description="of another time", timestamp=datetime(2026, 4, 1, tzinfo=UTC), result="denied")
        make(AuditLog, description="not denied")
        query = "from=2026-03-01&to=2026-04-01&result__exact=denied"

        as_csv = list(csv.DictReader(io.StringIO(text_of(export(browser, "csv", query)), newline="")))
        as_json = [json.loads(line) for line in text_of(export(browser, "jsonl", query)).splitlines()]

        shown: Any = browser.get(f"{url(AuditLog, 'changelist')}?{query}")
        assert [row["id"] for row in as_csv] == [row["id"] for row in as_json]
        assert [row["id"] for row in as_csv] == [str(event.pk) for event in shown.context["cl"].result_list]
        assert tuple(as_csv[0]) == tuple(as_json[0]) == (*COLUMNS, *JSON_COLUMNS)
        assert {"checksum", "signature"}.isdisjoint((*COLUMNS, *JSON_COLUMNS))
        assert len(COLUMNS) + len(JSON_COLUMNS) == len(AuditLog._meta.concrete_fields) - 2
        assert {row["description"] for row in as_csv} == {f"'{ODD}", "plain"}
        assert {row["description"] for row in as_json} == {ODD, "plain"}
        assert as_json[0]["new_values"] == json.loads(as_csv[0]["new_values"]) == {"a": [None, ODD], "b": 1}
        assert as_json[0]["compliance_frameworks"] == json.loads(as_csv[0]["compliance_frameworks"]) == ["SOX"]
        assert (as_csv[0]["source_ip"], as_csv[0]["is_suspicious"]) == ("192.0.2.7", "false")
        assert as_csv[0]["timestamp"] == "2026-03-17T14:23:45.678901Z"

    def test_the_name_says_what_range_is_in_it(self) -> None:
        browser = sign_in()

        closed = export(browser, "csv", "from=2026-03-01&to=2026-04-01T12:30")
        ranges = [export(browser, "jsonl", query)["Content-Disposition"] for query in ("", "period=hour")]

        march = export(browser, "csv", "happened=2026-03")
        assert march["Content-Disposition"] == 'attachment; filename="audit-log_20260301T000000Z_20260401T000000Z.csv"'
        assert closed["Content-Disposition"] == 'attachment; filename="audit-log_20260301T000000Z_20260401T123000Z.csv"'
        assert closed["Content-Type"].startswith("text/csv")
        assert ranges[0].startswith('attachment; filename="audit-log_beginning_2')
        assert ranges[0].endswith('Z.jsonl"')
        assert "beginning" not in ranges[1]

    def test_the_event_says_who_took_what_in_which_form(self) -> None:
        make(AuditLog, actor_upn="ann@example.com")

        export(sign_in(), "csv", "actor=ann@example.com&from=2026-03-01&p=2")

        (event,) = exports()
        assert (event.actor_upn, event.event_type, event.result) == ("operator", "privileged_operation", "success")
        assert event.new_values == {
            "format": "CSV",
            "from": "2026-03-01T00:00:00+00:00",
            "to": None,
            "filters": {"actor": ["ann@example.com"], "from": ["2026-03-01"]},
        }

    @pytest.mark.parametrize(
        ("kind", "query", "why"),
        [
            ("xlsx", "", "there is no such format"),
            ("", "", "there is no such format"),
            ("csv", "from=x", "“from” is a time such as"),
            ("csv", "period=x", "there is no such period"),
            ("csv", "session_id=x", "nothing was looked for"),
            ("csv", "target_user_id__exact=x", "the address holds a filter that cannot be read"),
            ("csv", "q=" + "the+" * 21, "nothing was looked for"),
        ],
    )
    def test_what_cannot_be_read_is_not_exported(self, kind: str, query: str, why: str) -> None:
        browser = sign_in()

        response = export(browser, kind, query)

        assert response.status_code == 302
        assert response["Location"].startswith(url(AuditLog, "changelist"))
        assert any(f"Nothing was exported: {why}" in text for text in told(browser.get("/admin/")))
        assert not exports()

    def test_hashes_cannot_be_guessed(self) -> None:
        assert export(sign_in(), "csv", "checksum__startswith=a").status_code == 400
        assert not exports()


@pytest.mark.django_db
class TestWho:
    """Who may take it."""

    def test_only_a_role_with_the_permission_is_offered_and_given_it(self) -> None:
        call_command("pam_roles", stdout=io.StringIO())
        make(AuditLog)
        offered, given = set(), set()
        for role in ROLES:
            browser = browser_of(role)
            page = browser.get(url(AuditLog, "changelist")).content.decode()
            offered |= {role} if "/export/" in page else set()
            for kind in ("csv", "jsonl"):
                response = export(browser, kind)
                assert response.status_code in (200, 403), role
                given |= {role} if response.status_code == 200 else set()

        assert offered == given == {"auditor"}
        assert {event.actor_upn for event in exports()} == {"auditor@contoso.example"}

    def test_not_without_a_csrf_token_nor_by_a_link(self) -> None:
        browser = Client(enforce_csrf_checks=True)
        browser.cookies = sign_in().cookies

        assert export(browser, "csv").status_code == 403
        assert browser.get(reverse("admin:pam_auditlog_export")).status_code == 405
        assert not exports()

    def test_the_buttons_send_the_filters_of_the_list(self) -> None:
        browser = Client(enforce_csrf_checks=True)
        browser.cookies = sign_in().cookies
        make(AuditLog, description='"><script>', request_id='"&<')
        make(AuditLog, description="other")
        page: Any = browser.get(url(AuditLog, "changelist"), {"request_id": '"&<'})
        address = page.content.decode().split('<form method="post" action="')[1].split('"')[0].replace("&amp;", "&")
        token = {"csrfmiddlewaretoken": browser.cookies["csrftoken"].value}

        response: Any = browser.post(address, {"format": "jsonl", **token})

        (line,) = text_of(response).splitlines()
        assert json.loads(line)["description"] == '"><script>'


@pytest.fixture
def live(migrated: str) -> Iterator[str]:
    """The alias of the database that the site stands on, whose commits are commits."""
    with override_settings(DATABASE_ROUTERS=[Everything(migrated)]):
        yield migrated


def test_memory_does_not_grow_with_the_rows(live: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_lines, "BATCH", 100)
    monkeypatch.setattr(audit_export, "PAGE", 100)
    browser = sign_in()
    add_audit_rows(live, 400, days=1, begin="2026-01-05")
    add_audit_rows(live, 4_000, days=1, begin="2026-02-05")
    peaks, counts = [], []
    for month in ("from=2026-01-01&to=2026-02-01", "from=2026-02-01&to=2026-03-01"):
        chunks = export(browser, "jsonl", month).streaming_content
        tracemalloc.start()
        try:
            counts.append(sum(chunk.count(b"\n") for chunk in chunks))
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()

    assert counts == [400, 4_000]
    assert peaks[1] < 1.2 * peaks[0], peaks


def test_the_event_is_committed_before_the_first_byte_and_what_happens_later_is_not_in_the_file(live: str) -> None:
    browser = sign_in()
    add_audit_rows(live, 1_500)
    with session(live) as other, other.cursor() as cursor:
        response = export(browser, "jsonl", "o=0")
        cursor.execute("SELECT count(*) FROM audit_logs WHERE action = 'auditlog.exported'")
        assert cursor.fetchone() == (1,)

        sent = next(response.streaming_content)
        cursor.execute(NOW)
        sent += b"".join(response.streaming_content)

    assert len(sent.splitlines()) == len({json.loads(line)["id"] for line in sent.splitlines()}) == 1_500


@pytest.mark.parametrize("query", ["", "o=0"])
def test_pages_follow_one_another_as_the_list_has_them(live: str, monkeypatch: pytest.MonkeyPatch, query: str) -> None:
    """Also where many events have the same time, or one that Python has not."""
    monkeypatch.setattr(audit_export, "PAGE", 3)
    browser = sign_in()
    for time in ("2026-01-01", "2026-01-02", "0044-03-15 BC", "0045-03-15 BC"):
        with connections[live].cursor() as cursor:
            cursor.execute(SAME_TIME, [time])
    shown: Any = browser.get(f"{url(AuditLog, 'changelist')}?{query}")
    as_listed = [str(event.pk) for event in shown.context["cl"].result_list]

    lines = text_of(export(browser, "jsonl", query)).splitlines()

    assert [json.loads(line)["id"] for line in lines] == as_listed
    assert len(lines) == 4 * 7


def test_a_slow_download_is_in_nobodys_way(phase2: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table is even swapped for another while the file is sent, and nothing is missing or there twice."""
    monkeypatch.setattr(audit_export, "PAGE", 100)
    monkeypatch.setattr(audit_lines, "BATCH", 100)
    add_audit_rows(phase2, 1_000, days=20)
    with override_settings(DATABASE_ROUTERS=[Everything(phase2)]):
        response = export(sign_in(), "jsonl")
        sent = next(response.streaming_content)
        with session(phase2) as other, other.cursor() as cursor:
            cursor.execute(TRANSACTIONS)
            assert cursor.fetchone() == (0,)
        call_command("migrate", "pam", "0011_phase3_audit_logs_by_month", database=phase2, verbosity=0)
        assert partitions(phase2, "audit_logs")
        sent += b"".join(response.streaming_content)

    assert len(sent.splitlines()) == len({json.loads(line)["id"] for line in sent.splitlines()}) == 1_000


def test_a_file_that_cannot_go_on_breaks_off(live: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_export, "PAGE", 100)
    monkeypatch.setattr(audit_export, "LOCK_MS", 50)
    monkeypatch.setattr(audit_lines, "BATCH", 100)
    browser = sign_in()
    add_audit_rows(live, 1_000)
    response = export(browser, "csv")
    assert next(response.streaming_content)
    with session(live) as other, other.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE audit_logs IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(OperationalError, match="lock timeout"):
            list(response.streaming_content)


def test_without_its_event_nothing_is_sent(live: str) -> None:
    browser = sign_in()
    add_audit_rows(live, 10)
    with connections[live].cursor() as cursor:
        cursor.execute(NO_TRAIL)

    response = export(browser, "csv")

    assert response.status_code == 302
    assert not response.streaming
    assert any("Nothing was exported." in text and "no trail today" in text for text in told(browser.get("/admin/")))
    assert not AuditLog.objects.filter(action="auditlog.exported").exists()
