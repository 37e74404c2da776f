"""/metrics: guarded, cheap, and as Prometheus's conventions have it."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from prometheus_client.parser import text_string_to_metric_families

from menshun.environment import secret
from pam.monitoring.metrics import _page, exposition
from tests.support.databases import session
from tests.support.months import partitions

NOW = datetime(2026, 8, 17, 13, 37, 11, tzinfo=UTC)
TOKEN = "a" * 32
ALERTS = Path(__file__).parent.parent / "docs" / "alerts.yml"


@pytest.fixture(autouse=True)
def _fresh():
    cache.clear()
    yield
    cache.clear()


def samples(page: bytes) -> dict[tuple[str, ...], float]:
    """Name and values of the labels, and the value."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


def test_it_is_off_unless_configured(client: Client):
    assert settings.PAM_METRICS_TOKEN is None
    assert client.get("/metrics").status_code == 404


@pytest.mark.django_db
@override_settings(PAM_METRICS_TOKEN=TOKEN)
def test_it_is_guarded(client: Client):
    for given in ("", "Bearer", "Bearer ", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", f"Bearer {TOKEN} ", "Bearer \xe9"):
        response = client.get("/metrics", headers={"Authorization": given})
        assert (response.status_code, b"menshun" in response.content) == (401, False), given
    assert client.post("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 405
    response = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/plain; version=")
    assert samples(response.content)["menshun_up",] == 1


def test_a_short_token_is_refused():
    with pytest.raises(ImproperlyConfigured, match="PAM_METRICS_TOKEN is shorter than 20"):
        secret({"PAM_METRICS_TOKEN": "guess"}, "PAM_METRICS_TOKEN")
    assert secret({"PAM_METRICS_TOKEN": " "}, "PAM_METRICS_TOKEN") is None
    assert secret({"PAM_METRICS_TOKEN": TOKEN}, "PAM_METRICS_TOKEN") == TOKEN


def test_figures(company):
    with connections[company].cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database()), pg_table_size('credentials')")
        database, heap = cursor.fetchone()
        cursor.execute(
            "INSERT INTO audit_logs (id, event_type, action, result, timestamp, description)"
            " VALUES (gen_random_uuid(), 'compliance', 'x', 'success', '2099-01-01Z', 'y')"
        )
        cursor.execute("DROP INDEX ix_credentials_expiry_partial")
    found = samples(_page(company, NOW))
    assert found["menshun_up",] == 1
    assert found["menshun_examined_timestamp_seconds",] == NOW.timestamp()
    assert [found["menshun_phase_applied", str(phase)] for phase in (1, 2, 3)] == [1, 1, 1]
    assert found["menshun_default_partition_rows", "public.audit_logs"] == 1
    assert found["menshun_findings", "index-missing", "warning"] == 1
    assert found["menshun_converting", "public.sessions"] == 0
    assert found["menshun_months_ahead", "public.sessions"] >= 2
    parts = [found["menshun_table_bytes", part, "public.credentials"] for part in ("heap", "toast")]
    assert sum(parts) == heap
    assert abs(found["menshun_database_bytes",] - database) < 1 << 22


def test_names_and_units(company):
    text = _page(company, NOW).decode()
    names = re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE)
    assert len(names) > 10
    assert {kind for _, kind in names} == {"gauge"}
    assert all(re.fullmatch(r"menshun_[a-z_]+", name) for name, _ in names)
    helps = re.findall(r"^# HELP (\S+) (.+)$", text, re.MULTILINE)
    assert [name for name, _ in helps] == [name for name, _ in names]


def test_a_scrape_costs_the_database_nothing_within_a_minute(migrated):
    first = exposition(migrated)
    with CaptureQueriesContext(connections[migrated]) as asked:
        assert [exposition(migrated) for _ in range(12)] == [first] * 12
    assert len(asked) == 0


def test_a_database_that_does_not_answer(migrated, monkeypatch):
    monkeypatch.setattr("pam.monitoring.examine.LONGEST_MS", 50)
    with session(migrated) as other, other.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE audit_logs IN ACCESS EXCLUSIVE MODE")
        assert samples(exposition(migrated)) == {("menshun_up",): 0}


def test_the_alerts_speak_of_metrics_that_are_there(company):
    with connections[company].cursor() as cursor:
        cursor.execute(f"DROP TABLE {min(partitions(company, 'sessions'))}")
    there = {family.name for family in text_string_to_metric_families(_page(company, NOW).decode())}
    asked = set(re.findall(r"\bmenshun_[a-z_]+", ALERTS.read_text(encoding="utf-8")))
    assert len(asked) > 5
    assert asked <= there
