"""Advice on memory: of a query, of index builds and vacuums, and what the planner may expect to be cached."""

import math
from collections.abc import Iterator

from pam.health.advice import DOCS, Advice, Asked, Case, Status, about, megabytes, power_of_two, raw, since
from pam.postgres.server_machine import Machine
from pam.postgres.server_settings import parse_size, readable

RESOURCES = f"{DOCS}runtime-config-resource.html"
QUERY = f"{DOCS}runtime-config-query.html"
WORK_MEM = f"{RESOURCES}#GUC-WORK-MEM"
MAINTENANCE = f"{RESOURCES}#GUC-MAINTENANCE-WORK-MEM"
PARALLEL = f"{RESOURCES}#GUC-MAX-PARALLEL-MAINTENANCE-WORKERS"
CACHE = f"{QUERY}#GUC-EFFECTIVE-CACHE-SIZE"
CACHE_GUIDE = "https://wiki.postgresql.org/wiki/Tuning_Your_PostgreSQL_Server"
# A parallel build needs so much for each process, by the documentation of max_parallel_maintenance_workers.
SHARE_OF_A_WORKER = 32 << 20


def memory(case: Case) -> Iterator[Advice]:
    """`work_mem`, and where the memory is known `maintenance_work_mem` and `effective_cache_size`; the workers."""
    yield from _work_mem(case)
    if case.machine:
        yield _maintenance(case)
        yield _cache(case, case.machine)
    yield _workers(case)


def most_work_mem(case: Case) -> int:
    """Bytes of `work_mem` with which every connection could run the hungriest named query at once."""
    takers = max([1.0, *(run.takers for run in case.runs.values())])
    return math.floor(case.left / (case.server["max_connections"].number * takers))


def _work_mem(case: Case) -> Iterator[Advice]:
    has = case.server["work_mem"]
    spilling = [one for one in case.asked if one.run and one.run.spills]
    most = most_work_mem(case) if case.machine else None
    counters = case.counters
    seen = (
        f" {counters.temp_files:,} temporary files, {megabytes(counters.temp_bytes)} were seen in this database in "
        f"{since(counters.database_age)}; log_temp_files = 0 tells whose they are."
        if counters.temp_files and not spilling
        else ""
    )
    if most is not None and has.bytes > most:
        yield about(case, "work_mem", WORK_MEM, _too_much(case, most), _less(case, most))
    elif not spilling and not case.is_asked:
        yield about(case, "work_mem", WORK_MEM, f"{case.asked_told}, and none of them spills.{seen}", tell=False)
    elif not spilling:
        fits = f" {_account(case)}" if case.machine else " Whether all connections have it is not known."
        yield about(
            case, "work_mem", WORK_MEM, f"None of {len(case.runs)} named queries spills with {has.shown}.{fits}{seen}"
        )
    else:
        fitting = [one for one in spilling if one.enough and most is not None and one.enough <= most]
        if fitting:
            wants = max(one.enough or 0 for one in fitting)
            told = " ".join(_told(one) for one in fitting)
            yield about(case, "work_mem", WORK_MEM, f"{told} {_account(case, wants)}", wants)
        else:
            yield about(case, "work_mem", WORK_MEM, f"For all it is right; {len(spilling)} named queries want more.")
        yield from (_of_session(case, one, most) for one in spilling if one not in fitting)


def _of_session(case: Case, one: Asked, most: int | None) -> Advice:
    """For the session that asks it: the same for everybody would not fit, or it is not known whether it would."""
    why = (
        "whether that fits for all connections is not known"
        if most is None
        else f"for all connections {readable(power_of_two(most, up=False))} is the most that fits"
    )
    subject, has = one.query.name, case.server["work_mem"]
    told = f"{_told(one)} {one.query.about}"
    if one.enough is None:
        return Advice(
            "work_mem", subject, Status.UNKNOWN, has.shown, raw(case.server, "work_mem"), None,
            f"{told} None that was tried ends that.", WORK_MEM,
        )  # fmt: skip
    wants = readable(one.enough)
    return Advice(
        "work_mem", subject, Status.CHANGE, has.shown, raw(case.server, "work_mem"), wants,
        f"{told} Only for the sessions that ask this, or the role they are of; {why}.", WORK_MEM,
        "session", (f"SET work_mem = '{wants}'",),
    )  # fmt: skip


def _told(one: Asked) -> str:
    if one.run is None:
        raise ValueError("it was not run")
    spills = "; ".join(one.run.spills[:3]) + ("; ..." if len(one.run.spills) > 3 else "")
    ends = f", with {readable(one.enough)} nothing does" if one.enough else ""
    return f"{one.query.name} spills with {readable(one.run.work_mem)} ({spills}){ends}."


def _account(case: Case, value: int | None = None) -> str:
    takers = max([1.0, *(run.takers for run in case.runs.values())])
    each = readable(value) if value else case.server["work_mem"].shown
    return (
        f"{each} x {takers:g} sorts or hashes at once x {case.server['max_connections'].shown} connections fit into "
        f"the {megabytes(case.left)} beside shared_buffers."
    )


def _too_much(case: Case, most: int) -> str:
    account = _account(case).replace(" fit into ", " do not fit into ")
    if most < case.server["work_mem"].least_bytes:
        account += " Not even the least value does: fewer connections do (max_connections, and a pool before it)."
    return account


def _less(case: Case, most: int) -> int | None:
    setting = case.server["work_mem"]
    wants = setting.within(power_of_two(most, up=False))
    return wants if wants < setting.bytes else None


def _maintenance(case: Case) -> Advice:
    setting, index = case.server["maintenance_work_mem"], case.counters.largest_index
    users = _users(case)
    # Builds are seldom, and autovacuums may all run at once: a quarter of the memory.
    most = case.left // 4 // users
    told = f"{users} may take it at once (autovacuum workers and one build)"
    if setting.bytes > 2 * most:
        wants = setting.within(power_of_two(most, up=False))
        reason = f"{told}, which is more than half of the {megabytes(case.left)} beside shared_buffers."
        return about(case, "maintenance_work_mem", MAINTENANCE, reason, wants if wants < setting.bytes else None)
    if index is None:
        return about(case, "maintenance_work_mem", MAINTENANCE, "There is no index yet.", tell=False)
    size = f"The largest index, {index.name}, has {megabytes(index.bytes)}, which a build sorts or gathers in memory"
    wants = setting.within(min(power_of_two(index.bytes, up=True), power_of_two(most, up=False)))
    if setting.bytes >= wants:
        return about(case, "maintenance_work_mem", MAINTENANCE, f"{size}; {told}.")
    return about(case, "maintenance_work_mem", MAINTENANCE, f"{size}. {told}.", wants)


def _users(case: Case) -> int:
    """Who may take `maintenance_work_mem` at once."""
    shared = case.server["autovacuum_work_mem"].number < 0
    return 1 + (int(case.server["autovacuum_max_workers"].number) if shared else 0)


def wanted_maintenance(case: Case) -> int:
    """The bytes that a build will have when the advice was followed."""
    setting = case.server["maintenance_work_mem"]
    found = _maintenance(case).wants if case.machine else None
    return parse_size(found) if found else setting.bytes


def _cache(case: Case, machine: Machine) -> Advice:
    setting, size = case.server["effective_cache_size"], case.counters.database_bytes
    # Whole MB, so that it is read easily.
    wants = setting.within(machine.memory * 3 // 4 >> 20 << 20)
    if setting.bytes > machine.memory:
        reason = f"The machine has {megabytes(machine.memory)}, of which three quarters may be cache."
        return about(case, "effective_cache_size", CACHE_GUIDE, reason, wants)
    if setting.bytes >= min(size, machine.memory // 2):
        what = "the whole database is smaller" if setting.bytes >= size else "it is more than half of the memory"
        reason = f"Database: {megabytes(size)}, memory: {megabytes(machine.memory)}: {what}."
        return about(case, "effective_cache_size", CACHE, reason)
    reason = (
        f"The database has {megabytes(size)} and the machine {megabytes(machine.memory)}, of which three quarters may "
        "be cache; the planner thinks of less, and holds index scans for dearer than they are. It reserves nothing."
    )
    return about(case, "effective_cache_size", CACHE_GUIDE, reason, wants)


def _workers(case: Case) -> Advice:
    """The server gives a build workers by the size of the table and by the memory that each of them gets."""
    name = "max_parallel_maintenance_workers"
    setting, table = case.server[name], case.counters.largest_table
    if table is None:
        return about(case, name, PARALLEL, "There is no table with rows yet.", tell=False)
    least = case.server["min_parallel_table_scan_size"].bytes
    by_size = 0 if table.bytes < least else 1 + math.floor(math.log(table.bytes / max(least, 1), 3) + 1e-9)
    memory = wanted_maintenance(case)
    by_memory = max(0, memory // SHARE_OF_A_WORKER - 1)
    useful = min(by_size, by_memory, int(case.server["max_parallel_workers"].number))
    told = (
        f"The largest table, {table.name}, has {megabytes(table.bytes)}, for which the server takes {by_size} workers; "
        f"maintenance_work_mem = {readable(memory)} is enough for {by_memory}"
    )
    if useful <= setting.number:
        return about(case, name, PARALLEL, f"{told}.")
    if case.machine is None or case.machine.processors is None:
        return about(case, name, PARALLEL, f"{told}; how many processors there are is not known.", tell=False)
    spare = case.machine.processors // 2
    wants = min(useful, spare)
    told += f"; there are {case.machine.processors} processors, of which half are left to others."
    return about(case, name, PARALLEL, told, str(wants) if wants > setting.number else None)
