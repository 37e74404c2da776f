"""`pam_sizes`: what it shows and keeps, how it ends, and what it makes of bad input and bad luck."""

import io
import json
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.template.defaultfilters import filesizeformat
from django.utils import timezone

from pam.models import SizeSnapshot
from pam.monitoring.size_history import history, keep, measure
from pam.monitoring.size_report import report
from pam.postgres import locks
from pam.postgres.errors import TableMissing
from pam.postgres.locks import Patience
from pam.postgres.sizes import Sizes
from tests.support.bulk import add_audit_rows
from tests.support.databases import database_name, session

NOW = datetime(2026, 11, 25, 13, 37, 11, tzinfo=UTC)
DAY = timedelta(days=1)
MB = 1 << 20


def pam_sizes(alias: str, *arguments: str) -> tuple[str, int, str]:
    """What it printed, with what it ended, and what it said then."""
    out = io.StringIO()
    try:
        call_command("pam_sizes", *arguments, "--database", alias, stdout=out, stderr=io.StringIO())
    except CommandError as error:
        return out.getvalue(), error.returncode, str(error)
    return out.getvalue(), 0, ""


def document(alias: str, *arguments: str) -> dict[str, Any]:
    text, _, _ = pam_sizes(alias, "--json", *arguments)
    found: dict[str, Any] = json.loads(text)
    return found


def execute(alias: str, *statements: str) -> None:
    with connections[alias].cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def with_bytes(measured: Sizes, total: int) -> Sizes:
    return Sizes(measured.database, total, measured.tables, measured.missing)


def keep_days(alias: str, totals: Sequence[int], end: datetime) -> Sizes:
    """A snapshot a day, the last one a day before `end`; returns what there is, at the last size."""
    measured = measure(alias)
    for days, total in enumerate(reversed(totals), 1):
        assert keep(alias, with_bytes(measured, total), end - days * DAY) is None
    return with_bytes(measured, totals[-1])


# Growth


def test_growth_is_told_by_the_snapshots_of_made_up_days(migrated):
    measured = keep_days(migrated, [100 * MB + day * MB for day in range(10)], NOW)
    found = report(migrated, measured, NOW, budget=114 * MB)
    assert found.growth is not None
    assert found.growth.per_day == pytest.approx(MB)
    audit = found.trends["public.audit_logs"]
    assert audit is not None
    assert audit.per_day == 0
    budget = next(limit for limit in found.limits if limit.name == "budget")
    assert budget.left == 5 * MB
    assert [(one.id, one.subject) for one in found.findings] == [("budget-exceeded-soon", measured.database)]
    assert "full on 2026-11-30" in found.findings[0].evidence
    assert found.unknown == []


def test_too_few_snapshots_are_said_with_the_next_command(migrated):
    text, code, said = pam_sizes(migrated, "--snapshot")
    assert code == 2
    assert said.startswith("Growth cannot be told yet: it takes 3 snapshots over 2 days, and there are 1. ")
    assert said.endswith(f"python manage.py pam_sizes --snapshot --database {migrated}")
    assert "public.audit_logs" in text


def test_all_is_well(migrated):
    measured = measure(migrated)
    keep_days(migrated, [measured.bytes] * 5, timezone.now())
    text, code, said = pam_sizes(migrated, "--budget", "50GB")
    assert (code, said) == (0, "")
    assert "grows by 0\xa0bytes a day" in text
    assert "▁▁▁" in text
    assert text.count("0\xa0bytes ± 0\xa0bytes") == len(measured.tables), "and that of each table"
    assert "budget: 50.0\xa0GB left; full on no day of the next ten years" in text


def test_a_budget_that_is_exceeded_already(migrated):
    text, code, _ = pam_sizes(migrated, "--budget", "1 MB")
    assert code == 1
    assert "ERROR budget-exceeded: " in text
    assert f"Do: python manage.py pam_partitions status --database {migrated}" in text
    assert "Growth cannot be told yet" in text, "what is not known is said beside what is wrong"


def test_the_budget_of_the_settings(migrated, settings):
    settings.PAM_SIZE_BUDGET = "1MB"
    assert [one["id"] for one in document(migrated)["findings"]] == ["budget-exceeded"]


def test_a_disk_that_is_full_soon(migrated, monkeypatch):
    """The disk of this machine is not to be filled for it: what is free is made up, and nothing else."""
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=3 * MB))
    measured = keep_days(migrated, [100 * MB + day * MB for day in range(10)], NOW)
    found = report(migrated, measured, NOW, budget=None)
    assert [one.id for one in found.findings] == ["disk-full-soon"]
    assert found.findings[0].severity == "error"


# Months


def test_the_month_that_broke_the_pattern_is_named_and_none_of_an_even_table(phase2):
    add_audit_rows(phase2, 12_000, days=240, begin="2026-01-01 13:37:11+00")
    call_command("migrate", database=phase2, verbosity=0)
    now = datetime(2026, 9, 20, 13, 37, 11, tzinfo=UTC)
    assert [one.id for one in report(phase2, measure(phase2), now, None).findings] == []
    add_audit_rows(phase2, 5_000, days=29, begin="2026-05-01 13:37:11.5+00")
    execute(phase2, "ANALYZE audit_logs")
    (found,) = report(phase2, measure(phase2), now, None).findings
    assert (found.id, found.subject) == ("month-out-of-pattern", "public.audit_logs_2026_05")
    assert "times the usual" in found.evidence
    with connections[phase2].cursor() as cursor:
        cursor.execute(found.cure)
        assert len(cursor.fetchall()) >= 28, "the cure is a statement that says which day it was"


# Bad luck


def test_an_empty_database(database):
    text, code, said = pam_sizes(database)
    assert code == 2
    assert f"python manage.py migrate --database {database}" in said
    size = filesizeformat(measure(database).bytes)
    assert f"{size}, of it {size} elsewhere" in text


def test_without_the_table_of_snapshots_sizes_are_shown(migrated):
    call_command("migrate", "pam", "0092", database=migrated, verbosity=0)
    execute(migrated, "DROP TABLE size_snapshots")
    text, code, said = pam_sizes(migrated)
    assert code == 2
    assert "public.audit_logs" in text
    assert "Not there: size_snapshots" in text
    assert said == f"Growth: no snapshots can be kept here yet: python manage.py migrate --database {migrated}"
    assert pam_sizes(migrated, "--snapshot")[1] == 2
    with pytest.raises(TableMissing):
        history(migrated)


def test_pam_explain_needs_no_table_of_snapshots(company):
    execute(company, "DROP TABLE size_snapshots")
    call_command("pam_explain", "sign_in", database=company, stdout=io.StringIO())


def test_a_role_that_may_not_read_the_snapshots(migrated):
    role = f"poor_of_{database_name(migrated)}"
    execute(migrated, f"CREATE ROLE {role}", f"SET ROLE {role}")
    try:
        text, code, said = pam_sizes(migrated)
        assert code == 2
        assert "public.audit_logs" in text
        assert "a role without pg_read_all_settings" in text
        assert "GRANT SELECT ON size_snapshots" in said
        _, code, said = pam_sizes(migrated, "--snapshot")
        assert code == 2
        assert "permission denied for table size_snapshots (SQLSTATE 42501)" in " ".join(said.split())
        execute(migrated, "RESET ROLE", f"GRANT SELECT ON size_snapshots TO {role}", f"SET ROLE {role}")
        assert pam_sizes(migrated)[2].startswith("Growth cannot be told yet")
    finally:
        execute(migrated, "RESET ROLE", f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_a_table_that_somebody_has_for_himself(migrated, monkeypatch):
    monkeypatch.setattr(locks, "CALM", Patience(lock_timeout_ms=50, attempts=2, first_pause=0.05, longest_pause=0.05))
    with session(migrated) as other, other.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE credentials IN ACCESS EXCLUSIVE MODE")
        _, code, said = pam_sizes(migrated, "--snapshot")
        assert code == 2
        assert f"pid {other.info.backend_pid} " in said
        assert said.endswith(f"run it again: python manage.py pam_sizes --snapshot --database {migrated}")
    assert not SizeSnapshot.objects.using(migrated).exists()


def test_a_read_only_session_keeps_nothing_and_shows_all(migrated):
    execute(migrated, "SET default_transaction_read_only = on")
    assert pam_sizes(migrated)[2].startswith("Growth cannot be told yet")
    _, code, said = pam_sizes(migrated, "--snapshot")
    assert code == 2
    assert "read-only transaction (SQLSTATE 25006)" in said


# Bad input


@pytest.mark.parametrize("size", ["50", "50 parsecs", "-3GB", "0GB", "1e9GB", "999999PB", "", "GB"])
def test_a_budget_that_is_no_size(migrated, size):
    _, code, said = pam_sizes(migrated, f"--budget={size}")
    assert code == 1
    assert "is no size. Write it like 500MB, 50GB or 1.5TB" in said


@pytest.mark.parametrize(("size", "size_in_bytes"), [("50GB", 50 << 30), ("1.5 tb", 3 << 39), ("7kB", 7 << 10)])
def test_sizes_are_counted_as_the_server_counts(migrated, size, size_in_bytes):
    found = document(migrated, "--budget", size)
    (budget,) = (limit for limit in found["limits"] if limit["name"] == "budget")
    assert budget["left_bytes"] + found["database"]["total_bytes"] == size_in_bytes


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (lambda folder: folder / "a.pdf", "is no .svg and no .png"),
        (lambda folder: folder / "none" / "a.svg", "no place for a file"),
        (lambda folder: folder, "is no .svg and no .png"),
    ],
)
def test_a_chart_that_can_go_nowhere_is_refused_before_anything_is_kept(
    migrated: str, tmp_path: Path, place: Callable[[Path], Path], said: str
) -> None:
    _, code, error = pam_sizes(migrated, "--snapshot", "--chart", str(place(tmp_path)))
    assert code == 1
    assert said in error
    assert not SizeSnapshot.objects.using(migrated).exists()


@pytest.mark.parametrize("days", [0, 5])
def test_a_chart_of_what_there_is(migrated, tmp_path, days):
    if days:
        keep_days(migrated, [100 * MB] * days, timezone.now())
    pam_sizes(migrated, "--chart", str(tmp_path / "sizes.svg"))
    assert "public.audit_logs" in (tmp_path / "sizes.svg").read_text(encoding="utf-8")


# For a program


def test_the_document_says_all_in_bytes(migrated):
    keep_days(migrated, [100 * MB + day * MB for day in range(10)], timezone.now())
    found = document(migrated)
    assert found["database"]["growth"]["per_day"] == pytest.approx(MB)
    (audit,) = (table for table in found["tables"] if table["relation"] == "public.audit_logs")
    parts = ("heap_bytes", "index_bytes", "toast_bytes")
    assert audit["total_bytes"] == sum(audit[part] for part in parts)
    assert audit["total_bytes"] == sum(one["total_bytes"] for one in audit["partitions"])
    assert {one["month"] for one in audit["partitions"]} >= {f"{timezone.now():%Y-%m}", None}
    assert found["database"]["total_bytes"] == found["database"]["elsewhere_bytes"] + sum(
        table["total_bytes"] for table in found["tables"]
    )
