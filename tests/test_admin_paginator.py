"""Lists of many rows: counted up to a limit, then guessed; no page is reached by skipping a whole table."""

import math
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from pam.admin.paginator import CappedPaginator
from pam.admin.rotations import CredentialRotationAdmin
from pam.models import AuditLog, CredentialRotation, PrivilegedUser
from tests.support.admin import sign_in, url
from tests.support.rows import build, make

pytestmark = pytest.mark.django_db

LIST = url(AuditLog, "changelist")


@pytest.fixture
def browser() -> Client:
    return sign_in()


@pytest.fixture
def rows() -> int:
    """Some more events than are counted."""
    number = CappedPaginator.most + 700
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_logs (id, event_type, action, result, description, timestamp)"
            " SELECT gen_random_uuid(), 'configuration', 'change', 'success', 'x', now() - n * interval '1 minute'"
            " FROM generate_series(1, %s) n",
            [number],
        )
    return number


def paginator(**conditions: object) -> CappedPaginator:
    return CappedPaginator(AuditLog.objects.filter(**conditions).order_by("-timestamp"), 50)


def test_few_rows_are_counted_exactly(rows: int) -> None:
    first = AuditLog.objects.order_by("-timestamp")[123]

    few = paginator(timestamp__gt=first.timestamp)

    assert (str(few.count), few.num_pages) == ("123", 3)


def test_exactly_as_many_as_are_counted_is_an_exact_count(rows: int) -> None:
    first = AuditLog.objects.order_by("-timestamp")[CappedPaginator.most]

    assert str(paginator(timestamp__gt=first.timestamp).count) == "5000"


def test_more_rows_are_guessed_from_statistics(rows: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE audit_logs")

    told, _, guess = str(paginator().count).partition(", perhaps ")
    assert told == "more than 5,000"
    # The planner expects a row in each month that is empty.
    assert int(guess.replace(",", "")) == pytest.approx(rows, rel=0.01)


def test_a_guess_below_what_was_counted_is_not_told(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that was never analyzed, or a filter without statistics."""
    monkeypatch.setattr(CappedPaginator, "dear", math.inf)
    assert str(paginator(description__startswith="x").count) == "more than 5,000"


def test_what_is_dear_to_count_leads_to_the_next_page(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the planner says of its cost is too much."""
    monkeypatch.setattr(CappedPaginator, "dear", 0.0)
    everything = AuditLog.objects.order_by("-timestamp")

    for wanted, told in ((1, "more than 50"), (3, "more than 150")):
        pages = CappedPaginator(everything, 50, wanted=wanted)
        assert (str(pages.count).split(",")[0], pages.num_pages) == (told, wanted + 1)
        assert list(pages.page(wanted)) == list(everything[50 * wanted - 50 : 50 * wanted])


def test_the_last_page_of_what_is_dear_to_count_says_how_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CappedPaginator, "dear", 0.0)
    AuditLog.objects.bulk_create(build(AuditLog) for _ in range(123))
    everything = AuditLog.objects.order_by("-timestamp")

    assert str(CappedPaginator(everything, 50, wanted=3).count) == "123"
    assert str(CappedPaginator(everything, 50, wanted=4).count) == "123", "there is no such page"


def test_what_goes_away_between_the_keys_and_their_rows_makes_no_last_page() -> None:
    users = sorted((make(PrivilegedUser) for _ in range(8)), key=lambda user: user.pk)
    pages = CappedPaginator(PrivilegedUser.objects.order_by("pk"), 3, wanted=2)

    def delete(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        if " IN (" in sql:
            with connection.cursor() as cursor:
                cursor.cursor.execute(
                    "UPDATE privileged_users SET is_deleted = true, deleted_at = now() WHERE id = %s", [users[4].pk]
                )
        return execute(sql, parameters, many, context)

    with connection.execute_wrapper(delete):
        rows = pages.page(2)
    assert (list(rows), rows.has_next()) == ([users[3], users[5]], True)


def test_the_number_of_a_page_is_read_as_django_reads_it(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CappedPaginator, "dear", 0.0)
    monkeypatch.setattr(CredentialRotationAdmin, "list_per_page", 2)
    for _ in range(5):
        make(CredentialRotation)
    for page, (known, rows) in {" 3": (3, 1), "٣": (3, 1), "x": (1, 2), "": (1, 2), "9" * 5000: (1, 2)}.items():
        shown = browser.get(url(CredentialRotation, "changelist"), {"p": page}).context["cl"]
        assert (shown.page_num, len(shown.result_list)) == (known, rows), page[:9]
    for page in ("0", "-1", "4", "9" * 99):
        assert browser.get(url(CredentialRotation, "changelist"), {"p": page}).status_code == 302, page[:9]
    asked = {"app_label": "pam", "model_name": "credentialrotation", "field_name": "credential", "term": ""}
    for page in ("0", "-1", " 3", "x", "9" * 5000):
        assert browser.get("/admin/autocomplete/", {**asked, "page": page}).status_code == 404, page[:9]


def test_the_list_says_so_and_reads_one_page(browser: Client, rows: int) -> None:
    with CaptureQueriesContext(connection) as captured:
        page = browser.get(LIST).content.decode()

    assert "more than 5,000" in page
    of_the_log = [query["sql"] for query in captured if 'FROM "audit_logs"' in query["sql"]]
    assert of_the_log
    assert all("LIMIT" in sql for sql in of_the_log if not sql.startswith("EXPLAIN"))


def test_nobody_is_shown_all(browser: Client, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Known is only that there are more than 50 rows, which is less than what Django offers to show at once."""
    monkeypatch.setattr(CappedPaginator, "dear", 0.0)

    response = browser.get(LIST, {"all": ""})

    assert len(response.context["cl"].result_list) == 50
    assert "more than 50" in response.content.decode()
    assert "showall" not in response.content.decode()


def test_the_last_page_is_the_last_one_counted(browser: Client, rows: int) -> None:
    last = CappedPaginator.most // 50

    assert len(browser.get(LIST, {"p": str(last)}).context["cl"].result_list) == 50
    assert browser.get(LIST, {"p": str(last + 1)}).status_code == 302


def test_a_page_far_away_is_reached_by_a_filter(browser: Client, rows: int) -> None:
    oldest = AuditLog.objects.earliest("timestamp")

    result = browser.get(LIST, {"timestamp__lt": oldest.timestamp.isoformat()})
    assert result.context["cl"].result_count == 0
    result = browser.get(LIST, {"timestamp__lte": oldest.timestamp.isoformat()})
    assert list(result.context["cl"].result_list) == [oldest]
