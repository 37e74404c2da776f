"""Facts about indexes made by hand, as the pure judgement of them is tested."""

from datetime import UTC, datetime, timedelta
from typing import Any

from pam.health.finding import Finding
from pam.health.indexes import Facts, Judgement, Terms, judge
from pam.postgres.catalog import Index, IndexDefinition
from pam.postgres.counters import Server
from pam.postgres.index_bloat import ESTIMATE, Bloat
from pam.postgres.index_usage import ForeignKey, IndexUsage

NOW = datetime(2026, 11, 20, 13, 37, 11, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=300)
TABLE = 1000


def index(oid: int, *columns: str, **changes: Any) -> IndexUsage:
    """A B-tree of TABLE, never scanned, old, healthy, and called `ix_<oid>`; `changes` to any of its facts."""
    definition: dict[str, Any] = {
        "method": "btree",
        "unique": False,
        "nulls_not_distinct": False,
        "key_count": len(columns),
        "columns": columns,
        "opclasses": " ".join("1" for _ in columns),
        "collations": " ".join("100" for _ in columns),
        "options": " ".join("0" for _ in columns),
        "predicate": None,
    }
    definition |= {key: changes.pop(key) for key in definition if key in changes}
    table = changes.pop("table_oid", TABLE)
    name = f"ix_{oid}"
    usual = {
        "quoted": f"public.{name}",
        "tables": (table,),
        "holds_constraint": definition["unique"],
        "is_replica_identity": False,
        "invalid": (),
        "is_being_built": False,
        "parameters": "",
        "bytes": 64 * 1024 * 1024,
        "scans": 0,
        "last_scan": None,
        "made_before": LONG_AGO,
        "bloat": Bloat(0, 0.0, ESTIMATE),
    }
    partitioned = changes.pop("is_partitioned", False)
    statement = f"CREATE INDEX {name} ON toys"
    it = Index(IndexDefinition(**definition), oid, "public", name, table, "toys", partitioned, True, None, statement)
    return IndexUsage(index=it, **{**usual, **changes})


def server(alias: str = "default", **changes: Any) -> Server:
    """A server that has counted for long."""
    usual = {
        "identifier": 7,
        "database_oid": 5,
        "is_replica": False,
        "started_at": NOW - timedelta(days=1),
        "is_counting": True,
        "reset_at": None,
        "kept_since": LONG_AGO,
    }
    return Server(alias, **{**usual, **changes})


def judged(
    *indexes: IndexUsage,
    servers: tuple[Server, ...] = (server(),),
    keys: tuple[ForeignKey, ...] = (),
    queries: dict[str, list[str]] | None = None,
    lists: frozenset[str] = frozenset(),
    declared: frozenset[int] = frozenset(),
    days: int = 30,
) -> Judgement:
    """What is found about these."""
    terms = Terms(queries or {}, lists, declared, days, NOW, lambda one: f"drop {one.name}", "look again")
    return judge(Facts(servers, indexes, keys), terms)


def ids(judgement: Judgement) -> dict[str, str]:
    """The findings' ids by what they are about."""
    return {finding.subject.removeprefix("public."): finding.id for finding in judgement.findings}


def only(judgement: Judgement) -> Finding:
    """The one finding."""
    (finding,) = judgement.findings
    return finding
