"""The state of a database as Prometheus reads it.

Names and units: https://prometheus.io/docs/practices/naming/. All are gauges: each says how something is now.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime

from django.core.cache import cache
from django.db import Error, connections
from django.utils import timezone
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from pam.health.finding import Finding
from pam.health.months import MonthlyFacts, present
from pam.monitoring.examine import Examination, examine
from pam.monitoring.size_history import measure
from pam.partitions.plan import months_ahead
from pam.postgres.errors import MenshunError
from pam.postgres.server_state import ServerState
from pam.postgres.sizes import Sizes
from pam.postgres.view_age import ViewAge

SECONDS = 60


class _Given(Collector):
    """Metrics that were made already."""

    def __init__(self, metrics: Iterable[GaugeMetricFamily]) -> None:
        self.metrics = list(metrics)

    def collect(self) -> Iterable[GaugeMetricFamily]:
        return self.metrics


def exposition(alias: str) -> bytes:
    """The page for a database. It is made once a minute, in each process that serves it, and kept in between.

    A database that does not answer, or keeps readers out, is `menshun_up 0` and nothing else. Locks: `examine`.
    """
    key = f"pam.metrics.{alias}"
    page: bytes | None = cache.get(key)
    if page is None:
        page = _page(alias, timezone.now())
        cache.set(key, page, SECONDS)
    return page


def _page(alias: str, now: datetime) -> bytes:
    try:
        found, sizes = examine(connections[alias], now), measure(alias)
    except (Error, MenshunError):
        # What is wrong is told by pam_status; who watches must know that nobody can tell.
        metrics = [_gauge("up", "Whether the database could be examined.", 0)]
    else:
        metrics = [
            _gauge("up", "Whether the database could be examined.", 1),
            _gauge("examined_timestamp_seconds", "When these figures were read.", now.timestamp()),
            _findings(found.findings),
            _phases(found),
            *_months(found.months, now),
            *_server(found.server, now),
            *_sizes(sizes),
            _reports(found.reports, now),
        ]
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Given(metrics))
    return generate_latest(registry)


def _gauge(name: str, about: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"menshun_{name}", about, value=value)


def _gauges(name: str, about: str, labels: list[str], values: Iterable[tuple[list[str], float]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"menshun_{name}", about, labels=labels)
    for names, value in values:
        family.add_metric(names, value)
    return family


def _findings(findings: Iterable[Finding]) -> GaugeMetricFamily:
    # Without the subject, which may be a pid: each new value of a label is a new series.
    count = Counter((one.id, str(one.severity)) for one in findings)
    values = [(list(names), float(number)) for names, number in sorted(count.items())]
    return _gauges("findings", "What pam_status finds, by its id.", ["id", "severity"], values)


def _phases(found: Examination) -> GaugeMetricFamily:
    values = [([str(phase.number)], float(phase.state == "applied")) for phase in found.phases]
    return _gauges("phase_applied", "Whether all migrations of a phase are applied.", ["phase"], values)


def _months(tables: Iterable[MonthlyFacts], now: datetime) -> Iterator[GaugeMetricFamily]:
    partitioned = [table for table in tables if table.is_partitioned]
    yield _gauges(
        "converting",
        "Whether a conversion of the table has begun and not ended.",
        ["table"],
        [([table.table], float(table.is_converting)) for table in tables],
    )
    yield _gauges(
        "months_ahead",
        "Months after this one that have a partition; -1: this one has none.",
        ["table"],
        [([table.table], months_ahead(present(table), now)) for table in partitioned],
    )
    yield _gauges(
        "default_partition_rows",
        "Rows in the default partition.",
        ["table"],
        [([table.table], table.rows_in_default) for table in partitioned],
    )


def _server(server: ServerState, now: datetime) -> Iterator[GaugeMetricFamily]:
    ages = [(now - one.began).total_seconds() for one in server.transactions]
    yield _gauge("oldest_transaction_seconds", "Age of the oldest open or prepared transaction.", max([0.0, *ages]))
    yield _gauge("transaction_id_age", "Age of the oldest transaction id, in ids.", server.database.xid_age)
    yield _gauge("multixact_id_age", "Age of the oldest multixact id, in ids.", server.database.multixact_age)
    yield _gauges(
        "replication_slot_held_bytes",
        "WAL that a replication slot holds.",
        ["slot", "active"],
        [([slot.name, str(slot.is_active).lower()], slot.held) for slot in server.slots],
    )


def _reports(reports: Iterable[ViewAge], now: datetime) -> GaugeMetricFamily:
    ages = [([one.view], (now - one.refreshed_at).total_seconds()) for one in reports if one.refreshed_at]
    return _gauges("report_age_seconds", "How old the data of a reporting view is.", ["view"], ages)


def _sizes(sizes: Sizes) -> Iterator[GaugeMetricFamily]:
    yield _gauge("database_bytes", "Size of the database.", sizes.bytes)
    yield _gauges(
        "table_bytes",
        "Size of a table with its partitions, by what it is.",
        ["table", "part"],
        [
            ([str(table.relation), part], size)
            for table in sizes.tables
            for part, size in (
                ("heap", table.size.heap),
                ("indexes", table.size.indexes),
                ("toast", table.size.toast),
            )
        ],
    )
