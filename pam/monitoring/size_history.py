"""The sizes of menshun's tables: as they are now, kept as a snapshot, and as they were."""

from collections import defaultdict
from datetime import datetime, timedelta

from django.apps import apps
from django.db import connections

from pam.health.growth import Point
from pam.models import SizeSnapshot
from pam.postgres import catalog
from pam.postgres.errors import TableMissing
from pam.postgres.locks import Patience
from pam.postgres.sizes import Sizes, sizes

# Closer together they would say the same twice, and make a trend look surer than it is.
APART = timedelta(hours=1)
DATABASE = SizeSnapshot.DATABASE


def measure(alias: str, patience: Patience | None = None) -> Sizes:
    """The sizes, now, of all tables of menshun in the database behind an alias. Locks and errors: `sizes`."""
    connection = connections[alias]
    tables = [model._meta.db_table for model in apps.get_app_config("pam").get_models()]
    return sizes(connection, [connection.ops.quote_name(table) for table in sorted(tables)], patience)


def keep(alias: str, measured: Sizes, now: datetime) -> datetime | None:
    """Keep a snapshot, unless one is there that is less than an hour away; returns when that one was taken.

    Lock: ROW EXCLUSIVE on the table of snapshots. Raises TableMissing.
    """
    _require_table(alias)
    snapshots = SizeSnapshot.objects.using(alias)
    near = snapshots.filter(taken_at__gt=now - APART, taken_at__lt=now + APART).order_by("taken_at").last()
    if near is not None:
        return near.taken_at
    rows = [
        SizeSnapshot(
            taken_at=now,
            relation=str(table.relation),
            kind=table.kind,
            heap_bytes=table.size.heap,
            index_bytes=table.size.indexes,
            toast_bytes=table.size.toast,
            total_bytes=table.size.total,
            rows=table.size.rows,
        )
        for table in measured.tables
    ]
    rows.append(SizeSnapshot(taken_at=now, relation=DATABASE, kind=DATABASE, total_bytes=measured.bytes))
    snapshots.bulk_create(rows)
    return None


def history(alias: str) -> dict[str, list[Point]]:
    """All snapshots by relation, in the order of time; the whole database is under DATABASE. Raises TableMissing."""
    _require_table(alias)
    found: dict[str, list[Point]] = defaultdict(list)
    rows = SizeSnapshot.objects.using(alias).order_by("taken_at")
    for relation, taken_at, kind, total in rows.values_list("relation", "taken_at", "kind", "total_bytes"):
        found[relation].append(Point(taken_at, kind, total))
    return found


def now_points(measured: Sizes, now: datetime) -> dict[str, Point]:
    """What was measured now, as the last point of each curve."""
    points = {str(table.relation): Point(now, table.kind, table.size.total) for table in measured.tables}
    return {**points, DATABASE: Point(now, DATABASE, measured.bytes)}


def _require_table(alias: str) -> None:
    connection, table = connections[alias], SizeSnapshot._meta.db_table
    if catalog.relation(connection, connection.ops.quote_name(table)) is None:
        raise TableMissing(table)
