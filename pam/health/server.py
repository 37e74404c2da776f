"""Is the server well? What lasts too long, what holds WAL, how old transaction ids are."""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from django.template.defaultfilters import filesizeformat

from pam.health.finding import Finding, Severity
from pam.postgres.server_state import Database, OpenTransaction, ServerState, Slot

# A transaction of an hour holds back what vacuum may remove; one that idles does so for nothing.
LONG, IDLE = timedelta(hours=1), timedelta(minutes=10)
# Ids are frozen by force at autovacuum_freeze_max_age; half as many again says that it does not get its work done. The
# server refuses to write some 2.1 billion transactions after the oldest one.
LATE, DANGEROUS = 1.5, 1_600_000_000
# What a slot that is read may be behind.
MOST_HELD = 5 << 30
TRIGRAM_MIGRATION = "0003_phase2_trigram_extension"


def judge_server(state: ServerState, applied: Collection[str], now: datetime) -> list[Finding]:
    """The findings on the server as of the clock that is passed in; `applied` are the migrations' names."""
    return [
        *_extension(state.database, applied),
        *_ids(state.database),
        *_autovacuum(state.database),
        *(finding for one in state.transactions for finding in _transaction(one, now)),
        *(finding for slot in state.slots for finding in _slot(slot)),
    ]


def _ids(database: Database) -> Iterator[Finding]:
    for what, finding, age, limit in (
        ("transaction", "transaction-ids-old", database.xid_age, database.xid_freeze_age),
        ("multixact", "multixact-ids-old", database.multixact_age, database.multixact_freeze_age),
    ):
        if age > min(LATE * limit, DANGEROUS):
            yield Finding(
                finding,
                Severity.ERROR if age > DANGEROUS else Severity.WARNING,
                "the database",
                f"its oldest {what} id is {age:,} ids old; by force they are frozen at {limit:,}, and some 2.1 billion "
                "stop all writes",
                "End what holds them back (old transactions, prepared ones, slots), then: VACUUM (FREEZE, VERBOSE)",
            )


def _extension(database: Database, applied: Collection[str]) -> Iterator[Finding]:
    if TRIGRAM_MIGRATION in applied and "pg_trgm" not in database.extensions:
        yield Finding(
            "extension-missing",
            Severity.ERROR,
            "pg_trgm",
            f"{TRIGRAM_MIGRATION} is applied, and the extension is not there, nor any index over its operators",
            "CREATE EXTENSION pg_trgm, then the indexes that are named as missing",
        )


def _autovacuum(database: Database) -> Iterator[Finding]:
    if not database.autovacuum_is_on:
        yield Finding(
            "autovacuum-off",
            Severity.ERROR,
            "the server",
            "autovacuum or track_counts is off: dead rows stay, and statistics grow old everywhere",
            "ALTER SYSTEM RESET autovacuum; ALTER SYSTEM RESET track_counts; SELECT pg_reload_conf()",
        )


def _transaction(one: OpenTransaction, now: datetime) -> Iterator[Finding]:
    subject = f"pid {one.pid}" if one.pid else "a prepared transaction"
    cure = f"SELECT pg_terminate_backend({one.pid})" if one.pid else one.query
    who = f"role {one.role}, {one.state or 'state hidden from this role'}: {' '.join(one.query.split())[:120]}"
    idle = one.state is not None and one.state.startswith("idle in transaction")
    since = one.in_state_since or one.began
    if not one.pid and now - one.began > IDLE:
        yield Finding("transaction-prepared", Severity.WARNING, subject, f"for {_age(now, one.began)}, {who}", cure)
    elif idle and now - since > IDLE:
        evidence = f"idle for {_age(now, since)} in a transaction of {_age(now, one.began)}, {who}"
        yield Finding("transaction-idle", Severity.WARNING, subject, evidence, cure)
    elif one.pid and now - one.began > LONG:
        yield Finding("transaction-long", Severity.WARNING, subject, f"for {_age(now, one.began)}, {who}", cure)


def _age(now: datetime, since: datetime) -> timedelta:
    return timedelta(seconds=int((now - since).total_seconds()))


def _slot(slot: Slot) -> Iterator[Finding]:
    held = filesizeformat(slot.held)
    if slot.wal_status in ("unreserved", "lost"):
        yield Finding(
            "slot-lost",
            Severity.ERROR,
            slot.name,
            f"the WAL that its reader needs is {slot.wal_status} (max_slot_wal_keep_size)",
            f"Set its standby or subscriber up anew, then: SELECT pg_drop_replication_slot('{slot.name}')",
        )
    elif not slot.is_active:
        yield Finding(
            "slot-inactive",
            Severity.WARNING,
            slot.name,
            f"nobody reads it, and it holds {held} of WAL, more with each write",
            f"Start its reader, or: SELECT pg_drop_replication_slot('{slot.name}')",
        )
    elif slot.held > MOST_HELD:
        yield Finding(
            "slot-behind",
            Severity.WARNING,
            slot.name,
            f"its reader is behind by {held} of WAL",
            "See why: SELECT * FROM pg_stat_replication",
        )
