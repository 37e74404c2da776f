"""The pages of the reports: read-only, with the age of the data above it, and a sentence where there is no data."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from pam.admin.reports import told
from pam.models import AuditLog, Credential, PrivilegedUser, RoleAssignment, ServiceIdentity
from pam.models.reports import REPORTS, AccountRiskReport, PrivilegedAccessReport
from pam.postgres.view_age import Filling, ViewAge
from tests.support.admin import found, sign_in, url
from tests.support.admin import told as messages_of
from tests.support.rows import make

pytestmark = pytest.mark.django_db

ODD = 'R&D <b>"alpha"</b> _20 / 100%'
# A limit for locks there and back; Django's session and the user; is the view there, its age within a savepoint (3); a
# savepoint with a limit, both there and back (4); a count, the rows, filter values.
QUERIES_OF_A_LIST = 15


@pytest.fixture
def browser() -> Client:
    return sign_in()


@pytest.fixture(params=REPORTS, ids=lambda report: report.__name__)
def report(request: pytest.FixtureRequest) -> Any:
    """A report with at least one row, of a department with a name that HTML and addresses must quote."""
    user = make(PrivilegedUser, risk_level="critical", department=ODD)
    make(RoleAssignment, user=user)
    make(Credential, service_identity=make(ServiceIdentity, department=ODD))
    make(AuditLog, timestamp=timezone.now())
    request.param.refresh()
    return request.param


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_the_age_of_the_data_stands_above_it(browser: Client, report: Any) -> None:
    with CaptureQueriesContext(connection) as captured:
        response = browser.get(url(report, "changelist"))

    assert response.status_code == 200
    row = report.objects.order_by("key").first()
    assert f"As of {row.refreshed_at:%Y-%m-%d %H:%M} UTC, 0\xa0minutes ago" in response.content.decode()
    assert response.context["cl"].result_count == report.objects.count() > 0
    assert len(captured) <= QUERIES_OF_A_LIST
    for column in admin.site.get_model_admin(report).list_display:
        assert f"column-{column}" in response.content.decode()


def test_a_row_has_a_page_that_says_its_age_too(browser: Client, report: Any) -> None:
    row = report.objects.order_by("key").first()

    response = browser.get(url(report, "change", row))

    assert response.status_code == 200
    page = response.content.decode()
    assert "As of " in page
    assert 'name="_save"' not in page
    shown = {name for fieldset in response.context["adminform"] for line in fieldset for name in line.fields}
    assert shown == {field.name for field in report._meta.fields}


def test_a_department_is_typed_whole(browser: Client) -> None:
    make(RoleAssignment, user=make(PrivilegedUser, department=ODD))
    make(RoleAssignment, user=make(PrivilegedUser, department="HR"))
    PrivilegedAccessReport.refresh()
    for typed, wanted in ((ODD, [ODD]), (" HR ", ["HR"]), ("H", []), ("", ["HR", ODD])):
        rows = found(browser, PrivilegedAccessReport, department=typed)
        assert sorted(row.department for row in rows) == sorted(wanted), typed


def test_nothing_can_be_changed(browser: Client, report: Any) -> None:
    row = report.objects.order_by("key").first()

    assert browser.post(url(report, "changelist"), {"action": "delete_selected"}).status_code == 403
    assert browser.get(url(report, "add")).status_code == 403
    assert browser.post(url(report, "change", row), {"key": "x"}).status_code == 403
    assert browser.post(url(report, "delete", row), {"post": "yes"}).status_code == 403
    assert report.objects.order_by("key").first() == row


def test_search_and_filters_find_the_row(browser: Client, report: Any) -> None:
    address = url(report, "changelist")
    changelist = browser.get(address).context["cl"]
    for spec in changelist.filter_specs:
        for choice in spec.choices(changelist):
            assert browser.get(address + choice["query_string"]).status_code == 200
    column = admin.site.get_model_admin(report).search_fields[0]
    word = max(str(getattr(report.objects.first(), column)).split(), key=len)
    assert browser.get(address, {"q": word}).context["cl"].result_count > 0
    assert browser.get(address, {"q": "nobody knows this"}).context["cl"].result_count == 0


def test_an_empty_report_is_no_error(browser: Client) -> None:
    for report in REPORTS:
        page = browser.get(url(report, "changelist")).content.decode()
        assert "No rows, so nobody can tell how old this is." in page


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ("DROP MATERIALIZED VIEW {}", "is not there. To mend it: python manage.py migrate"),
        ("REFRESH MATERIALIZED VIEW {} WITH NO DATA", "To mend it: python manage.py pgrefreshmv pam"),
    ],
    ids=["not there", "never filled"],
)
def test_a_report_without_data_says_what_to_do(browser: Client, report: Any, change: str, wanted: str) -> None:
    row = report.objects.order_by("key").first()
    execute(change.format(report._meta.db_table))
    for address in (url(report, "changelist"), url(report, "change", row)):
        response = browser.get(address, follow=True)
        assert response.redirect_chain == [("/admin/", 302)]
        (text,) = messages_of(response)
        assert wanted in text


def test_a_role_that_may_not_read_it_is_named(browser: Client) -> None:
    execute("CREATE ROLE reports_reader")
    execute("GRANT SELECT, UPDATE, INSERT ON ALL TABLES IN SCHEMA public TO reports_reader")
    execute("REVOKE ALL ON report_account_risk FROM reports_reader")
    execute("SET LOCAL ROLE reports_reader")

    (text,) = messages_of(browser.get(url(AccountRiskReport, "changelist"), follow=True))

    assert "may not be read by this role" in text
    assert f"GRANT SELECT ON report_account_risk TO {connection.settings_dict['USER']}" in text


def test_an_age_in_words() -> None:
    time = datetime(2026, 11, 20, 13, 37, 11, tzinfo=UTC)
    aged = ViewAge("report_audit_events", Filling.ROWS, time, timedelta(days=2, hours=3))
    assert told(aged) == "As of 2026-11-20 13:37 UTC, 2\xa0days, 3\xa0hours ago"
