"""The snapshots that `pam_sizes --snapshot` keeps."""

import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connections
from django.utils import timezone

from pam.models import SizeSnapshot
from pam.monitoring.size_history import history, keep, measure

NOW = datetime(2026, 11, 25, 13, 37, 11, tzinfo=UTC)


def snapshot(alias: str, *arguments: str) -> str:
    """What is printed; so few of them tell no growth yet."""
    out = io.StringIO()
    with pytest.raises(CommandError, match="Growth cannot be told yet"):
        call_command("pam_sizes", "--snapshot", *arguments, "--database", alias, stdout=out)
    return out.getvalue()


def kept(alias: str) -> bool:
    """Keeps one; whether it did."""
    is_kept: bool = json.loads(snapshot(alias, "--json"))["snapshot_kept"]
    return is_kept


def test_a_snapshot_is_a_row_for_each_table_and_one_for_the_database(migrated):
    kept(migrated)
    rows = SizeSnapshot.objects.using(migrated)
    tables = {str(table.relation) for table in measure(migrated).tables}
    assert set(rows.values_list("relation", flat=True)) == {"database", *tables}
    audit = rows.get(relation="public.audit_logs")
    with connections[migrated].cursor() as cursor:
        cursor.execute("SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('audit_logs') WHERE isleaf")
        assert (audit.total_bytes,) == cursor.fetchone()
    assert audit.kind == "partitioned table"
    assert rows.get(relation="database").heap_bytes is None
    assert timezone.now() - audit.taken_at < timedelta(minutes=5)


def test_a_second_one_within_the_hour_replaces_nothing_and_is_fine(migrated):
    assert kept(migrated) is True
    before = list(SizeSnapshot.objects.using(migrated).values())
    assert kept(migrated) is False
    assert "No snapshot was kept: that of " in snapshot(migrated)
    assert list(SizeSnapshot.objects.using(migrated).values()) == before


def test_after_an_hour_another_one_is_kept(migrated):
    measured = measure(migrated)
    assert keep(migrated, measured, NOW) is None
    assert keep(migrated, measured, NOW + timedelta(minutes=59)) == NOW
    assert keep(migrated, measured, NOW + timedelta(minutes=60)) is None
    assert [point.taken_at for point in history(migrated)["database"]] == [NOW, NOW + timedelta(minutes=60)]


def test_the_table_refuses_a_total_that_is_none(migrated):
    row = {"taken_at": NOW, "relation": "public.x", "kind": "table", "total_bytes": 3}
    for parts in ({}, {"heap_bytes": 1, "index_bytes": 1, "toast_bytes": 0}):
        with pytest.raises(IntegrityError, match="ck_size_snapshots_total_bytes"):
            SizeSnapshot.objects.using(migrated).create(**row, **parts)
