"""The pages of the database while something changes: a conversion under way, growth over days, rights that lack."""

import io
import re
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connections
from django.test import override_settings
from django.urls import reverse
from django.utils import timezone

from pam.models import SizeSnapshot
from pam.monitoring.size_history import keep, measure
from pam.postgres.errors import LockUnavailable
from tests.support.bulk import add_audit_rows
from tests.support.clients import Client
from tests.support.database_pages import IMAGES, PAGES, dba_of, html, shown, text
from tests.support.databases import session
from tests.support.months import add_sessions

pytestmark = [pytest.mark.django_db, pytest.mark.once]

REFRESH = '<meta http-equiv="refresh" content="10">'


def execute(alias: str, *statements: str) -> None:
    with connections[alias].cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@pytest.fixture
def half_made(phase2: str, brief: None) -> str:
    """A database in which one of two tables is prepared for phase 3; at the other one a writer was in the way."""
    Client(phase2, "seed").step(0)
    add_audit_rows(phase2, 500)
    add_sessions(phase2, 300)
    with session(phase2) as writer, writer.cursor() as cursor:
        cursor.execute("BEGIN; UPDATE sessions SET request_count = 1")
        with pytest.raises(LockUnavailable, match="sessions"):
            call_command("pam_partitions", "prepare", database=phase2, stdout=io.StringIO())
    return phase2


def test_a_conversion_under_way(half_made: str) -> None:
    with dba_of(half_made) as client:
        page = html(client, "database_partitions")
        assert REFRESH in page
        assert '<progress max="1" value="1" aria-label="Copied of public.audit_logs">100 %</progress>' in page
        told = shown(page)
        assert re.search(
            r"public\.audit_logs monthly partitions 100 % 100 % 1 of 1 502 0 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC", told
        )
        assert "public.sessions monthly partitions nothing to copy 0 of 0 0 0 not yet" in told
        assert told.count("A plain table still; its months are being filled beside it.") == 2
        assert "python manage.py pam_partitions abandon" in told

        still = html(client, "database_partitions", "?still")
        assert "http-equiv" not in still
        assert '<a href="?">Load the page anew every 10 seconds</a>' in still

        execute(half_made, "UPDATE audit_logs_menshun_chunks SET rows = NULL")
        Client(half_made, "meanwhile").step(0)
        assert "public.audit_logs monthly partitions 0 % 0 % 0 of 1 0 2 20" in text(client, "database_partitions")

        call_command("pam_partitions", "abandon", database=half_made, stdout=io.StringIO())
        page = html(client, "database_partitions")
        assert "http-equiv" not in page
        assert shown(page).count("A plain table, in no months.") == 2


@pytest.fixture
def grown(migrated: str) -> str:
    """A database with a snapshot of each of four days, in which each was some MB larger."""
    now = timezone.now()
    for days in (4, 3, 2, 1):
        assert keep(migrated, measure(migrated), now - timedelta(days=days)) is None
    snapshots = SizeSnapshot.objects.using(migrated).filter(relation=SizeSnapshot.DATABASE).order_by("taken_at")
    for number, row in enumerate(snapshots):
        snapshots.filter(taken_at=row.taken_at).update(total_bytes=(number + 3) << 20)
    return migrated


def test_growth_with_its_forecast(grown: str) -> None:
    with dba_of(grown) as client:
        assert "python manage.py pam_sizes --snapshot" not in text(client, "database_sizes")
        with override_settings(PAM_SIZE_BUDGET="100MB"):
            page = html(client, "database_sizes")
            told = shown(page)
            assert re.search(r"It grows by 1\.0 MB a day \(95 %: .*\), by 4 snapshots since 20\d\d-", told)
            assert re.search(r"Budget: \d\d\.\d MB left; full on 20\d\d-\d\d-\d\d \(95 %: from ", told)
            assert re.search(r"UTC 6\.0 MB 1\.0 MB 20\S+ \S+ UTC 5\.0 MB 1\.0 MB .* UTC 3\.0 MB - ", told)
            assert f'src="{reverse("database_growth")}" alt="Size over time of the database and' in page
            assert "trend, with its interval of 95 %" in client.get(reverse("database_growth")).content.decode()
            assert "grows by 1.0 MB a day" in text(client, "database")
        with override_settings(PAM_SIZE_BUDGET="1MB"):
            assert "budget-exceeded" in text(client, "database_sizes")
        with override_settings(PAM_SIZE_BUDGET="much"):
            assert "PAM_SIZE_BUDGET: 'much' is no size" in text(client, "database_sizes")
            assert client.get(reverse("database_growth")).status_code == 404


def test_nothing_kept_yet(migrated: str) -> None:
    with dba_of(migrated) as client:
        told = text(client, "database_sizes")
        assert "None is kept yet. Let this run every day: python manage.py pam_sizes --snapshot" in told
        assert "Growth cannot be told yet" in told
        assert client.get(reverse("database_growth")).status_code == 200


def test_a_role_that_sees_little(migrated: str) -> None:
    """What it cannot see is said, on each page, and none is an error."""
    role = "database_pages_reader"
    execute(migrated, f"CREATE ROLE {role}")
    try:
        execute(migrated, f"GRANT SELECT ON django_migrations, audit_logs TO {role}", f"SET ROLE {role}")
        with dba_of(migrated) as client, session(migrated) as other, other.cursor() as cursor:
            cursor.execute("BEGIN; SELECT 1")
            for name in PAGES:
                assert html(client, name)
            for name in IMAGES:
                assert client.get(reverse(name)).status_code in {200, 404}
            for name in ("database", "database_partitions"):
                assert "The server said: permission denied for table" in text(client, name)
            assert "this role may not read the snapshots" in text(client, "database_sizes")
            assert "A superuser can" not in text(client, "database")
            execute(migrated, "RESET ROLE", f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
            execute(migrated, f"SET ROLE {role}")
            assert "A superuser can: GRANT pg_monitor TO this role" in text(client, "database")
            assert "ALTER SYSTEM is not for this role" in text(client, "database_settings")
    finally:
        execute(migrated, "RESET ROLE", f"DROP OWNED BY {role}", f"DROP ROLE {role}")
