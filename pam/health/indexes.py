"""Which indexes nobody needs, which are broken or bloated, and which must stay whatever the counters say."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.template.defaultfilters import filesizeformat

from pam.health.finding import Finding, Severity
from pam.health.index_cover import covers, is_same_key, supports
from pam.postgres.counters import Server
from pam.postgres.index_usage import ForeignKey, IndexUsage

# Random inserts leave a B-tree a third empty, so less than half is no reason to build it anew, and neither is what
# costs nothing.
BLOATED_SHARE, BLOATED_BYTES = 0.5, 10 * 1024 * 1024

CONSTRAINT, REPLICA_IDENTITY = "constraint", "replica identity"
NAMED_QUERY, NAMED_QUERIES, FOREIGN_KEY = "named query", "named queries", "only index of foreign key"
ADMIN = "lists of the admin"


@dataclass(frozen=True)
class Facts:
    """Indexes, the foreign keys of their tables, and the servers that counted the scans, the asked one first."""

    servers: tuple[Server, ...]
    indexes: tuple[IndexUsage, ...]
    foreign_keys: tuple[ForeignKey, ...]


@dataclass(frozen=True)
class Terms:
    """What to judge by: the named queries by the index that serves them, the names of the indexes that the lists of the
    admin are read by, how old (days) counters must be, and now.

    `declared` are the oids of the indexes that models declare: of two that are the same, they stay. `how_to_drop` says
    for an index how it goes; `look_again` is the command to type when it is time.
    """

    queries: Mapping[str, Sequence[str]]
    lists: frozenset[str]
    declared: frozenset[int]
    least_days: int
    now: datetime
    how_to_drop: Callable[[IndexUsage], str]
    look_again: str


@dataclass(frozen=True)
class Judgement:
    """What is wrong; which indexes should go, each with its finding; what each is for; and for whom it is too early:
    no scan, but nobody knows for long enough."""

    findings: tuple[Finding, ...]
    proposed: tuple[tuple[IndexUsage, Finding], ...]
    purposes: Mapping[int, tuple[str, ...]]
    too_early: tuple[tuple[IndexUsage, str], ...]


def judge(facts: Facts, terms: Terms) -> Judgement:
    """All findings about the indexes. Never proposed to be dropped are an index that holds a constraint, is a replica
    identity, serves a named query or a list of the admin or is the only one of a foreign key, and one whose replacement
    is."""
    whole = [one for one in facts.indexes if not one.invalid]
    purposes = {one.oid: _purposes(one, whole, facts.foreign_keys, terms) for one in facts.indexes}
    scanless = [one for one in whole if not one.scans and not one.is_being_built and not purposes[one.oid]]
    young = _young_counters(facts.servers, scanless, terms)
    early = {} if young else {one.oid: why for one in scanless if (why := _too_early(one, terms))}
    droppable = [] if young else [one for one in scanless if one.oid not in early]
    proposed = _to_drop(whole, droppable, purposes, facts, terms)
    gone = {one.oid for one, _ in proposed}
    findings = [
        *young,
        *(finding for _, finding in proposed),
        *(_invalid(one, terms) for one in facts.indexes if one.invalid and not one.is_being_built),
        *(_bloated(one) for one in whole if one.oid not in gone and is_bloated(one)),
    ]
    told = tuple((one, early[one.oid]) for one in scanless if one.oid in early and one.oid not in gone)
    return Judgement(tuple(findings), tuple(proposed), purposes, told)


def is_bloated(one: IndexUsage) -> bool:
    """Whether so much of it is waste that building it anew pays."""
    return (
        one.bloat.bytes is not None
        and one.bloat.share is not None
        and one.bloat.bytes >= BLOATED_BYTES
        and one.bloat.share >= BLOATED_SHARE
    )


def counted_since(servers: Sequence[Server]) -> datetime | None:
    """The time from which on all of these servers counted every scan; None if nobody knows of one."""
    since = [server.since for server in servers]
    known = [time for time in since if time]
    return max(known) if len(known) == len(since) else None


def _purposes(
    one: IndexUsage,
    whole: Sequence[IndexUsage],
    foreign_keys: Sequence[ForeignKey],
    terms: Terms,
) -> tuple[str, ...]:
    reasons = [CONSTRAINT] if one.holds_constraint else []
    reasons += [REPLICA_IDENTITY] if one.is_replica_identity else []
    if asking := terms.queries.get(one.name):
        reasons.append(f"{NAMED_QUERY if len(asking) == 1 else NAMED_QUERIES} {', '.join(asking)}")
    reasons += [ADMIN] if one.name in terms.lists else []
    if not one.invalid:
        reasons += [f"{FOREIGN_KEY} {key.name}" for key in _relying(one, whole, foreign_keys)]
    return tuple(reasons)


def _relying(one: IndexUsage, there: Sequence[IndexUsage], keys: Sequence[ForeignKey]) -> list[ForeignKey]:
    """The foreign keys that have no index but this one: without it each delete of a referenced row reads the table."""
    others = [other for other in there if other.oid != one.oid and other.index.table_oid in one.tables]
    return [key for key in keys if supports(one, key) and not any(supports(other, key) for other in others)]


def _to_drop(
    whole: Sequence[IndexUsage],
    droppable: Sequence[IndexUsage],
    purposes: Mapping[int, tuple[str, ...]],
    facts: Facts,
    terms: Terms,
) -> list[tuple[IndexUsage, Finding]]:
    """What should go. First what nobody scanned; then what another index, which stays, can do as well."""

    def worth(one: IndexUsage) -> tuple[bool, bool, int, int]:
        return bool(purposes[one.oid]), one.oid in terms.declared, one.scans, -one.oid

    staying = sorted(whole, key=worth)
    unused = []
    for one in sorted(droppable, key=worth):
        if not _relying(one, staying, facts.foreign_keys):
            staying.remove(one)
            unused.append(one)
    redundant = []
    for one in list(staying):
        if not purposes[one.oid] and not one.is_being_built and _cover(one, staying):
            staying.remove(one)
            redundant.append(one)
    return [(one, _drop_finding(one, _cover(one, staying), facts.servers, terms)) for one in (*unused, *redundant)]


def _cover(one: IndexUsage, staying: Sequence[IndexUsage]) -> IndexUsage | None:
    """The most useful index that can do all that this one can."""
    return next((other for other in reversed(staying) if other.oid != one.oid and covers(other, one)), None)


def _drop_finding(one: IndexUsage, cover: IndexUsage | None, servers: Sequence[Server], terms: Terms) -> Finding:
    size = filesizeformat(one.bytes)
    if cover is None:
        return Finding(
            "index-unused",
            Severity.WARNING,
            one.quoted,
            f"no scan {_for_how_long(one, servers, terms)}; {size}, kept up to date by each write",
            terms.how_to_drop(one),
        )
    same = is_same_key(one, cover)
    does = "has the same columns" if same else "begins with the same columns"
    return Finding(
        "index-duplicate" if same else "index-prefix",
        Severity.WARNING,
        one.quoted,
        f"{cover.quoted} {does} and can do all that it can; {size}; {one.scans:,} scans, which the other will take",
        terms.how_to_drop(one),
    )


def _for_how_long(one: IndexUsage, servers: Sequence[Server], terms: Terms) -> str:
    """Not longer than any server has counted, nor than the index is there."""
    since = max(time for time in (counted_since(servers), one.made_before) if time)
    everywhere = f" on {', '.join(server.alias for server in servers)}" if len(servers) > 1 else ""
    unsure = "" if one.made_before else ", or since it was made, if that was later"
    return f"since {since:%Y-%m-%d %H:%M} UTC ({(terms.now - since).days} days){everywhere}{unsure}"


def _too_early(one: IndexUsage, terms: Terms) -> str | None:
    """Why nothing can be said yet of an index without scans, though the counters are old enough."""
    if not terms.least_days:
        return None
    if one.made_before is None:
        return "made after the last migration on record, nobody knows when"
    if terms.now - one.made_before < timedelta(days=terms.least_days):
        return f"perhaps made as late as {one.made_before:%Y-%m-%d %H:%M} UTC"
    return None


def _young_counters(servers: Sequence[Server], scanless: Sequence[IndexUsage], terms: Terms) -> list[Finding]:
    """The servers whose counters say too little to call any index unused; none if that matters to no index."""
    findings = []
    for server in servers if scanless else ():
        told, again = _youth(server, terms)
        if told:
            evidence = f"{told}; so no index is called unused ({len(scanless)} have no scan)"
            findings.append(Finding("counters-too-young", Severity.WARNING, server.alias, evidence, again))
    return findings


def _youth(server: Server, terms: Terms) -> tuple[str, str]:
    if not server.is_counting:
        return "it counts nothing (track_counts is off)", "ALTER SYSTEM SET track_counts = on; SELECT pg_reload_conf()"
    if server.since is None:
        return "nobody knows since when it counts", f"SELECT pg_stat_reset(); -- and later: {terms.look_again}"
    wanted = timedelta(days=terms.least_days)
    if terms.now - server.since >= wanted:
        return "", ""
    how = "somebody reset its counters" if server.since == server.reset_at else "it first started, or crashed,"
    return (
        f"{how} at {server.since:%Y-%m-%d %H:%M} UTC, {max(0, (terms.now - server.since).days)} days ago, and "
        f"{terms.least_days} are wanted (PAM_UNUSED_INDEX_DAYS)",
        f"{terms.look_again}  # from {server.since + wanted:%Y-%m-%d %H:%M} UTC on",
    )


def _invalid(one: IndexUsage, terms: Terms) -> Finding:
    parts = [name for name in one.invalid if name != one.quoted]
    if one.index.is_partitioned and not parts:
        evidence = "INVALID: a partition has no index attached to it, so no query may count on it"
        cure = (
            "python manage.py migrate  # where nothing is left to migrate: CREATE INDEX CONCURRENTLY on the partition "
            f"that lacks it, then ALTER INDEX {one.quoted} ATTACH PARTITION"
        )
    else:
        evidence = f"INVALID: {', '.join(parts or [one.quoted])}; no query uses it, each write feeds it"
        cure = "; ".join(f"REINDEX INDEX CONCURRENTLY {name}" for name in parts or [one.quoted])
        cure += f"; -- or, if nobody wants it: {terms.how_to_drop(one)}"
    return Finding("index-invalid", Severity.ERROR, one.quoted, evidence, cure)


def _bloated(one: IndexUsage) -> Finding:
    return Finding(
        "index-bloated",
        Severity.WARNING,
        one.quoted,
        f"{filesizeformat(one.bloat.bytes or 0)} of {filesizeformat(one.bytes)} are more than its entries need, "
        f"{one.bloat.share or 0:.0%} ({one.bloat.source})",
        f"REINDEX INDEX CONCURRENTLY {one.quoted}",
    )
