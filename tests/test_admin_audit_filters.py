"""Filters of the audit log: by time, and by what is typed into the forms beside the list."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib import admin
from django.db.models import QuerySet
from django.test import Client, RequestFactory
from django.utils import timezone

from pam.admin.audit_filters import ActorFilter, FrameworkFilter, TargetFilter, TimeFilter
from pam.admin.audit_times import PERIODS, Span, span_of
from pam.admin.form_filter import FormFilter
from pam.explain.plans import explain
from pam.models import AuditLog
from tests.support.admin import sign_in, told, url
from tests.support.rows import CLOCK, make

NOW = datetime(2026, 3, 18, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ANN, BACKUP = UUID(int=1), UUID(int=2)


@pytest.fixture
def browser() -> Client:
    return sign_in()


def listed(browser: Client, **asked: str) -> list[str]:
    """The actions of the events that the list shows, sorted."""
    response: Any = browser.get(url(AuditLog, "changelist"), asked)
    assert response.status_code == 200, response
    return sorted(event.action for event in response.context["cl"].result_list)


@pytest.mark.parametrize(
    ("asked", "span"),
    [
        ({}, Span()),
        ({"from": "2026-03-01"}, Span(start=datetime(2026, 3, 1, tzinfo=UTC))),
        ({"to": " 2026-03-01T13:00 "}, Span(end=datetime(2026, 3, 1, 13, tzinfo=UTC))),
        ({"to": "2026-03-01T13:00:00.5+02:00"}, Span(end=datetime(2026, 3, 1, 11, 0, 0, 500_000, tzinfo=UTC))),
        ({"happened": "2026-02"}, Span(datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC))),
        ({"period": "week"}, Span(NOW - timedelta(days=7), NOW)),
        (
            {"period": "hour", "from": "2026-03-01", "to": "2026-03-18T11:30"},
            Span(NOW - timedelta(hours=1), NOW - timedelta(minutes=30)),
        ),
    ],
)
def test_what_was_asked_for_is_a_span_in_utc(asked: dict[str, str], span: Span) -> None:
    assert span_of(asked, NOW) == span


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"from": "yesterday"}, "“from” is a time such as"),
        ({"to": "0001-01-01T00:00+10:00"}, "“to” is a time such as"),
        ({"happened": "2026-13"}, "month must be in 1..12"),
        ({"happened": "2026-02", "from": "2026-03-01"}, "ends before it begins"),
        ({"period": "century"}, "there are hour, day, week, month"),
        ({"from": "2026-03-01", "to": "2026-03-01"}, "ends before it begins"),
    ],
)
def test_what_cannot_be_read_is_told(asked: dict[str, str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        span_of(asked, NOW)


@pytest.mark.django_db
def test_from_the_first_moment_on_to_before_the_last(browser: Client) -> None:
    start, end = CLOCK, CLOCK + SECOND
    for action, time in (
        ("early", start - SECOND / 1000),
        ("first", start),
        ("last", end - SECOND / 1000),
        ("late", end),
    ):
        make(AuditLog, action=action, timestamp=time)

    assert listed(browser, **{"from": start.isoformat(), "to": end.isoformat()}) == ["first", "last"]
    assert listed(browser, **{"from": end.isoformat()}) == ["late"]
    assert listed(browser, to=start.isoformat()) == ["early"]


@pytest.mark.django_db
def test_periods_end_now(browser: Client) -> None:
    now = timezone.now()
    for name, (_, length) in PERIODS.items():
        make(AuditLog, action=name, timestamp=now - length + 60 * SECOND)
    make(AuditLog, action="to_come", timestamp=now + timedelta(hours=1))

    assert [len(listed(browser, period=name)) for name in PERIODS] == [1, 2, 3, 4]


@pytest.mark.django_db
def test_by_actor_target_and_framework(browser: Client) -> None:
    make(AuditLog, action="by_ann", actor_upn="ann@example.com", actor_user_id=ANN, compliance_frameworks=["SOX"])
    make(AuditLog, action="by_backup", actor_service_identity_id=BACKUP, compliance_frameworks=["SOX", "HIPAA"])
    make(AuditLog, action="on_ann", target_resource_type="user", target_resource_id=str(ANN), target_user_id=ANN)
    make(AuditLog, action="on_role_of_ann", target_resource_type="role", target_resource_id="7", target_user_id=ANN)
    make(AuditLog, action="on_dba", target_resource_type="group", target_resource_id="8", target_resource_name="DBA")

    assert listed(browser, actor=" Ann@Example.com") == listed(browser, actor=str(ANN)) == ["by_ann"]
    assert listed(browser, actor=str(BACKUP)) == ["by_backup"]
    assert listed(browser, target=str(ANN)) == ["on_ann", "on_role_of_ann"]
    assert listed(browser, target=str(ANN).upper(), target_type="user") == ["on_ann"]
    assert listed(browser, target="dba") == listed(browser, target="8") == listed(browser, target_type="group")
    assert listed(browser, target="dba") == ["on_dba"]
    assert listed(browser, framework="SOX") == ["by_ann", "by_backup"]
    assert listed(browser, framework="HIPAA", actor=str(BACKUP)) == ["by_backup"]
    assert listed(browser, framework="HIPAA", actor=str(ANN)) == []
    assert len(listed(browser, actor="", target=" ", framework="")) == 5
    assert "Show all of them" in browser.get(url(AuditLog, "changelist"), {"framework": "none"}).content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "asked",
    [{"from": "x"}, {"to": "9" * 40}, {"period": "x"}, {"from": "2026-01-02", "to": "2026-01-01"}, {"session_id": "x"}],
)
def test_what_cannot_be_read_finds_nothing_and_says_so(browser: Client, asked: dict[str, str]) -> None:
    make(AuditLog)

    response: Any = browser.get(url(AuditLog, "changelist"), asked)

    assert response.context["cl"].result_count == 0
    assert any(text.startswith("Nothing was looked for by ") for text in told(response))


@pytest.mark.django_db
def test_a_form_carries_the_rest_of_the_address_and_what_was_typed(browser: Client) -> None:
    make(AuditLog)
    odd = '"><script>\u202e'
    asked = {"actor": odd, "q": odd, "severity__exact": "info", "p": "1", "from": "2026-03-01T13:00:00Z"}
    response: Any = browser.get(url(AuditLog, "changelist"), asked)
    specs = {spec.title: spec for spec in response.context["cl"].filter_specs}

    assert specs["actor"].inputs()[0].value == odd
    assert dict(specs["actor"].carried()) == {name: asked[name] for name in ("q", "severity__exact", "from")}
    assert [field.value for field in specs["time (UTC)"].inputs()] == ["2026-03-01T13:00:00", ""]
    page = response.content.decode()
    assert odd not in page
    assert 'name="actor" value="&quot;&gt;&lt;script&gt;\u202e"' in page
    assert "session" not in specs


@pytest.mark.django_db
def test_a_tie_is_shown_while_it_is_chosen(browser: Client) -> None:
    make(AuditLog, request_id="r", action="one")
    make(AuditLog, request_id="s", action="other")

    response: Any = browser.get(url(AuditLog, "changelist"), {"request_id": "r"})

    assert [event.action for event in response.context["cl"].result_list] == ["one"]
    assert "request" in {spec.title for spec in response.context["cl"].filter_specs}


def first_page(alias: str, kinds: list[type[FormFilter]], asked: dict[str, str]) -> QuerySet[AuditLog, Any]:
    """The query of the list's first page, under these filters."""
    request = RequestFactory().get("/", asked)
    rows: QuerySet[AuditLog, Any] = AuditLog.objects.using(alias)
    for kind in kinds:
        model_admin = admin.site.get_model_admin(AuditLog)
        rows = kind(request, dict(request.GET.lists()), AuditLog, model_admin).queryset(request, rows)
    return rows.order_by("-timestamp", "-pk")[:50]


def test_an_index_serves_the_filters_and_a_time_leaves_other_months_alone(company: str) -> None:
    event = AuditLog.objects.using(company).filter(actor_user_id__isnull=False).order_by("timestamp")[20_000]
    day = {"from": f"{event.timestamp:%Y-%m-%d}", "to": f"{event.timestamp + timedelta(days=1):%Y-%m-%d}"}
    target = {"target": str(event.target_resource_id), "target_type": str(event.target_resource_type)}
    by_time = "ix_audit_logs_timestamp_type"
    cases: list[tuple[type[FormFilter], dict[str, str], set[str]]] = [
        (ActorFilter, {"actor": str(event.actor_upn)}, {"ix_audit_logs_actor_timestamp"}),
        (TargetFilter, target, {"ix_audit_logs_target_timestamp"}),
        (FrameworkFilter, {"framework": "HIPAA"}, {"ix_audit_logs_compliance_gin", by_time}),
    ]

    for kind, asked, indexes in cases:
        facts = explain(company, first_page(company, [kind], asked), analyze=True, timeout_ms=10_000)
        assert facts.indexes, kind
        assert set(facts.indexes) <= indexes, kind
        assert facts.scanned_pages == 0, kind
    for kind, asked in ((ActorFilter, {"actor": str(event.actor_user_id)}), (TargetFilter, {"target": "nobody"})):
        rows = first_page(company, [TimeFilter, kind], {**asked, **day})
        facts = explain(company, rows, analyze=True, timeout_ms=10_000)
        assert facts.indexes == (by_time,), kind
        assert facts.partitions == 1 < facts.partitions_there, kind
