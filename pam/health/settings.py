"""What a server is set to, against what this database wants: advice, and findings where a setting does harm."""

from collections.abc import Iterator

from pam.health.advice import Advice, Case
from pam.health.finding import Finding, Severity
from pam.health.settings_memory import memory
from pam.health.settings_planner import planner
from pam.health.settings_server import most_locks, room_for_locks, server
from pam.health.settings_tables import tables
from pam.postgres.server_settings import Server

# What is lost when one of these is off.
DANGERS = {
    "fsync": "a crash of the machine can destroy the whole database",
    "full_page_writes": "a crash of the machine can leave pages half written, which nothing repairs",
    "autovacuum": "dead rows pile up, statistics grow old, and only a vacuum in the last moment prevents a stop",
    "track_counts": "autovacuum never learns that something is to be done",
}
# All that is looked at.
NAMES = (
    *DANGERS,
    "work_mem",
    "hash_mem_multiplier",
    "shared_buffers",
    "max_connections",
    "maintenance_work_mem",
    "autovacuum_work_mem",
    "autovacuum_max_workers",
    "max_parallel_maintenance_workers",
    "max_parallel_workers",
    "min_parallel_table_scan_size",
    "effective_cache_size",
    "random_page_cost",
    "max_wal_size",
    "checkpoint_timeout",
    "checkpoint_completion_target",
    "max_locks_per_transaction",
    "max_prepared_transactions",
    "default_statistics_target",
    "jit",
    "vacuum_freeze_min_age",
    "autovacuum_vacuum_insert_scale_factor",
    "autovacuum_vacuum_insert_threshold",
)


def advise(case: Case) -> list[Advice]:
    """All advice about a server, each setting in its place. What needs a memory that is not known is left out."""
    return [*memory(case), *planner(case), *server(case), *tables(case)]


def dangers(case: Case) -> list[Finding]:
    """Settings that do harm."""
    return [*_switched_off(case.server), *_too_few_locks(case)]


def _switched_off(found: Server) -> Iterator[Finding]:
    for name, harm in DANGERS.items():
        if found[name].raw == "off":
            statement = found.statement(name, "on")
            cure = (
                f"{statement}; SELECT pg_reload_conf();" if statement else f"Not by a statement: {found.why_not(name)}."
            )
            yield Finding("setting-dangerous", Severity.ERROR, name, f"it is off: {harm}", cure)


def _too_few_locks(case: Case) -> Iterator[Finding]:
    room = room_for_locks(case)
    (advice,) = (one for one in server(case) if one.name == "max_locks_per_transaction")
    what, count = max(most_locks(case).items(), key=lambda one: one[1])
    if count > room:
        yield Finding(
            "setting-locks-too-few",
            Severity.ERROR,
            "max_locks_per_transaction",
            f"{what} takes {count:,} locks, and the server has room for {room:,}",
            f"{advice.statements[0]}; then restart the server" if advice.statements else advice.reason,
        )
