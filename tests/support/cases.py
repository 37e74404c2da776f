"""A server made by hand, as PostgreSQL 18 is after initdb, for judgements without one."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from pam.explain.spills import Run
from pam.health.advice import Advice, Asked, Case
from pam.health.settings import advise
from pam.postgres.server_counters import Counters, Largest
from pam.postgres.server_machine import Machine
from pam.postgres.server_settings import Server, Setting
from pam.postgres.server_tables import Leaf, Table
from pam.workload import QUERIES

MB, GB, TB = 1 << 20, 1 << 30, 1 << 40
INT = 2147483647
# Name: value, unit, least, most, context.
SETTINGS: dict[str, tuple[str, str | None, float | None, float | None, str]] = {
    "fsync": ("on", None, None, None, "sighup"),
    "full_page_writes": ("on", None, None, None, "sighup"),
    "autovacuum": ("on", None, None, None, "sighup"),
    "track_counts": ("on", None, None, None, "superuser"),
    "work_mem": ("4096", "kB", 64, INT, "user"),
    "hash_mem_multiplier": ("2", None, 1, 1000, "user"),
    "shared_buffers": ("16384", "8kB", 16, INT // 2, "postmaster"),
    "max_connections": ("100", None, 1, 262143, "postmaster"),
    "maintenance_work_mem": ("65536", "kB", 64, INT, "user"),
    "autovacuum_work_mem": ("-1", "kB", -1, INT, "sighup"),
    "autovacuum_max_workers": ("3", None, 1, 262143, "sighup"),
    "max_parallel_maintenance_workers": ("2", None, 0, 1024, "user"),
    "max_parallel_workers": ("8", None, 0, 1024, "user"),
    "min_parallel_table_scan_size": ("1024", "8kB", 0, 715827882, "user"),
    "effective_cache_size": ("524288", "8kB", 1, INT, "user"),
    "random_page_cost": ("4", None, 0, 1.79769e308, "user"),
    "max_wal_size": ("1024", "MB", 2, INT, "sighup"),
    "checkpoint_timeout": ("300", "s", 30, 86400, "sighup"),
    "checkpoint_completion_target": ("0.9", None, 0, 1, "sighup"),
    "max_locks_per_transaction": ("64", None, 10, INT, "postmaster"),
    "max_prepared_transactions": ("0", None, 0, 262143, "postmaster"),
    "default_statistics_target": ("100", None, 1, 10000, "user"),
    "jit": ("on", None, None, None, "user"),
    "vacuum_freeze_min_age": ("50000000", None, 0, 1000000000, "user"),
    "autovacuum_vacuum_insert_scale_factor": ("0.2", None, 0, 100, "sighup"),
    "autovacuum_vacuum_insert_threshold": ("1000", None, -1, INT, "sighup"),
}
WELL = Run(4 * MB, (), 1, 1, 100, 120, 1.5, 0)
NAME = "last_week_of_an_actor"


def setting(name: str, value: str | None = None, **changes: Any) -> Setting:
    usual, unit, least, most, context = SETTINGS[name]
    value = usual if value is None else value
    return replace(Setting(name, value, value, unit, least, most, context, "default", False, True), **changes)


def server(version: int = 18_00_06, **values: str | Setting) -> Server:
    """A server whose settings are the default ones, but these."""
    found = {name: setting(name) for name in SETTINGS}
    for name, value in values.items():
        found[name] = value if isinstance(value, Setting) else setting(name, value)
    return Server(found, (), version, str(version), "app", "menshun", False, True)


def counters(**changes: Any) -> Counters:
    """A week of a database of 200 MB in which nothing is amiss."""
    week = timedelta(days=7)
    largest = (Largest("events", 7 * MB), Largest("ix", 9 * MB))
    usual = Counters(200 * MB, 9_900, 100, 0, 0, week, 2_016, 0, week, 20 * GB, week, *largest, 40)
    return replace(usual, **changes)


def leaf(name: str = "public.part", **changes: Any) -> Leaf:
    return replace(Leaf(name, {}, 5_000, 10, False, True, 5_000, 5_000, 0, 0, 0, 0), **changes)


def table(*leaves: Leaf, name: str = "events", is_partitioned: bool = True) -> Table:
    return Table(name, is_partitioned, leaves or (leaf(),))


def case(memory: int | None = 16 * GB, processors: int | None = 8, **changes: Any) -> Case:
    """A case in which all is well, but for the changes."""
    machine = Machine(memory, processors, "by hand") if memory else None
    asked = (Asked(QUERIES[NAME], WELL),)
    return replace(Case(server(), machine, counters(), (table(),), asked, None), **changes)


def spilling(enough: int | None, **changes: Any) -> tuple[Asked, ...]:
    """A query that spills, and what would do for it."""
    run = replace(WELL, spills=("Sort: external merge, 9,416 kB on disk",), **changes)
    return (Asked(QUERIES[NAME], run, enough),)


def advice(found: Case, name: str) -> list[Advice]:
    """What is said about one setting."""
    return [one for one in advise(found) if one.name == name]
