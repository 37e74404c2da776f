"""The pages of the database: who may see them, and what they say in each phase."""

import io
import re

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connections
from django.test import Client
from django.urls import reverse

from pam.postgres.locks import timeouts
from pam.staff_roles import ROLES
from pam.workload import QUERIES
from tests.support.admin import sign_in
from tests.support.database_pages import IMAGES, PAGES, dba_of, html, shown, text
from tests.support.databases import session
from tests.support.staff import browser_of

pytestmark = [pytest.mark.django_db, pytest.mark.once]

ADDRESS = "/admin/database/"


def execute(alias: str, statement: str) -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute(statement)


def test_who_may_see_them() -> None:
    call_command("pam_roles", stdout=io.StringIO())
    browsers = {role: browser_of(role) for role in ROLES}
    for name in (*PAGES, *IMAGES):
        address = reverse(name)
        for role, browser in browsers.items():
            assert browser.get(address).status_code == (200 if role == "DBA" else 403), (role, address)
        response = Client().get(address)
        assert (response.status_code, response.headers["Location"]) == (302, f"/admin/login/?next={address}")
        for method in ("post", "put", "patch", "delete"):
            assert getattr(browsers["DBA"], method)(address).status_code == 405, (method, address)
    assert browsers["DBA"].head(ADDRESS).status_code == 200


def test_the_first_page_leads_there_who_may_go() -> None:
    call_command("pam_roles", stdout=io.StringIO())
    link = f'<a href="{ADDRESS}">'
    dba = html(browser_of("DBA"), "admin:index")
    assert link in dba
    assert "permission to view or edit" not in dba
    assert link in html(sign_in(), "admin:index")
    assert link not in html(browser_of("auditor"), "admin:index")
    nobody = Client()
    nobody.force_login(User.objects.create(username="nobody", is_staff=True))
    assert "permission to view or edit" in html(nobody, "admin:index")


def test_each_page_leads_to_the_others_and_says_where_one_is(migrated: str) -> None:
    with dba_of(migrated) as client:
        for name in PAGES:
            page = html(client, name)
            assert all(f'<a href="{reverse(other)}"' in page for other in PAGES)
            assert page.count("aria-current") == 1
            assert f'<a href="{reverse(name)}" aria-current="page">' in page
            assert "style=" not in page
            assert page.count("<script") == page.count("<script src="), "the admin's own, which are files"
            regions = page.count('<div class="scroll" tabindex="0" role="region" aria-label="')
            assert page.count("<table") <= regions, "a table scrolls by itself on a narrow screen"


def test_all_phases_with_rows(company: str) -> None:
    # Nothing can be written, so that nothing was.
    execute(company, "SET default_transaction_read_only = on")
    with dba_of(company) as client:
        state = text(client, "database")
        assert state.count(" applied ") == 3 + state.count("Not applied ")
        assert "0011_phase3_audit_logs_by_month 3 20" in state
        assert "public.audit_logs: partitioned, 8 months" in state
        assert "Named queries Nobody looked within five minutes; the page does." in state

        months = html(client, "database_partitions")
        assert "audit_logs_2026_10 2026-10-01 2026-11-01 14,3" in shown(months)
        assert "audit_logs_default DEFAULT 0" in shown(months)
        assert f'src="{reverse("database_timeline")}" alt="A bar for each month of public.audit_logs and' in months
        assert "http-equiv" not in months

        indexes = text(client, "database_indexes")
        assert "audit_logs_pkey audit_logs constraint, named query event_by_key 2." in indexes
        assert "counters-too-young" in indexes

        queries = text(client, "database_queries")
        assert all(f" {name} " in queries for name in QUERIES)
        assert queries.count(" ms ") == len(QUERIES)
        assert re.search(r" ok compliance_events ix_audit_logs_compliance_gin .* The auditor of one framework", queries)
        settings = text(client, "database_settings")
        assert "ALTER TABLE public.audit_logs_2026_10 SET (autovacuum_freeze_min_age = 0);" in settings
        assert " max_locks_per_transaction server 64 - " in settings
        assert text(client, "database_queries") == queries, "to the millisecond: nobody was asked again"

        state = text(client, "database")
        assert re.search(rf"\d+ of {len(QUERIES)} keep their promise, asked at 20", state)
        assert "should be others, asked at 20" in state


def test_images_stand_for_themselves(company: str) -> None:
    with dba_of(company) as client:
        for name, shows in zip(IMAGES, ("public.sessions: 8 months", "public.audit_logs"), strict=True):
            response = client.get(reverse(name))
            assert response.headers["Content-Type"] == "image/svg+xml"
            assert response.headers["Content-Security-Policy"] == "default-src 'none'; style-src 'unsafe-inline'"
            assert response.content.startswith(b"<svg ")
            assert shows in response.content.decode()


def test_a_finding_with_its_cure(migrated: str) -> None:
    execute(migrated, 'CREATE INDEX "<b>odd" ON credentials (version)')
    execute(migrated, "UPDATE pg_index SET indisvalid = false WHERE indexrelid = '\"<b>odd\"'::regclass")
    execute(migrated, "DROP TABLE sessions_default")
    with dba_of(migrated) as client:
        for name in ("database", "database_indexes"):
            page = html(client, name)
            assert "<b>odd" not in page
            assert re.search(r'REINDEX INDEX CONCURRENTLY \S*"<b>odd"', shown(page))
        assert "CREATE TABLE public.sessions_default PARTITION OF public.sessions DEFAULT" in text(
            client, "database_partitions"
        )


def test_phase_1_and_2_are_plain_tables(phase2: str) -> None:
    with dba_of(phase2) as client:
        assert "partly applied" not in text(client, "database")
        call_command("migrate", "pam", "0002_phase2_begin", database=phase2, verbosity=0)
        state = text(client, "database")
        assert "1 plain tables applied" in state
        assert "2 indexes built concurrently not applied 0003_phase2_trigram_extension, 0004" in state
        assert "0004_phase2_advanced_indexes 2 no: python manage.py migrate" in state
        months = html(client, "database_partitions")
        assert shown(months).count("A plain table, in no months.") == 2
        assert "python manage.py pam_plan" in months
        assert "<img" not in months
        assert client.get(reverse("database_timeline")).status_code == 404
        assert "There are no sessions in this database to ask about. Load a company" in text(client, "database_queries")
        assert "public.audit_logs" in text(client, "database_sizes")
        assert "audit_logs_pkey" in text(client, "database_indexes")


def test_a_database_without_tables(database: str) -> None:
    with dba_of(database) as client:
        assert "not-migrated phase 1" in text(client, "database")
        assert "None of the monthly tables is there: python manage.py migrate" in text(client, "database_partitions")
        assert "None of the tables is in the search_path" in text(client, "database_indexes")
        assert "No table of menshun is seen" in text(client, "database_sizes")
        assert "There is no table privileged_users" in text(client, "database_queries")
        assert "named queries were not run" in text(client, "database_settings")


def test_a_table_that_somebody_has_for_himself_alone(company: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pam.admin.database.page.LOCK_MS", 100)
    monkeypatch.setattr("pam.admin.database.queries.ALL_SECONDS", 0)
    with dba_of(company) as client, session(company) as other, other.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE audit_logs IN ACCESS EXCLUSIVE MODE")
        for name in ("database", "database_partitions", "database_indexes"):
            assert "It could not be told. The server said: canceling statement due to lock" in text(client, name), name
        sizes = text(client, "database_sizes")
        assert "No ACCESS SHARE lock on public.audit_logs" in sizes
        assert "Then run it again: python manage.py pam_sizes --database company" in sizes
        assert "Not asked, since 0 seconds were over" in text(client, "database_queries")
        cursor.execute("ROLLBACK")
        assert "public.audit_logs: partitioned" in text(client, "database")
    with timeouts(connections[company], lock_ms=7), connections[company].cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("7ms",)
    with connections[company].cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout'), current_setting('lock_timeout')")
        assert cursor.fetchone() == ("0", "0")
