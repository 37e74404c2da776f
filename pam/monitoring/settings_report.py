"""All that is said about settings of one database: gathered, and judged."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pam.health.advice import Advice, Case
from pam.health.finding import Finding
from pam.health.settings import advise, dangers
from pam.monitoring.settings_case import gather

# What has to follow a statement.
FOLLOWS = {"reload": "SELECT pg_reload_conf();", "restart": "restart the server.", "new sessions": "connect anew."}


@dataclass(frozen=True)
class SettingsReport:
    """The server in one line, the advice, the settings that do harm, and notes of what could not be seen."""

    heading: str
    advice: Sequence[Advice]
    findings: Sequence[Finding]
    notes: Sequence[str]


def settings_report(alias: str, memory: int | None, *, timeout_ms: int, until: float) -> SettingsReport:
    """What `pam_settings` says of a database. Parameters, locks, errors: `gather`."""
    case = gather(alias, memory, timeout_ms=timeout_ms, until=until)
    return SettingsReport(heading(case), advise(case), dangers(case), notes(case, alias))


def heading(case: Case) -> str:
    """The server in one line."""
    if case.machine is None:
        machine = "memory not known"
    else:
        machine = f"{case.machine.memory / (1 << 30):.1f} GiB of memory, {case.machine.told_by}"
    connections_at_most = case.server["max_connections"].shown
    return f"PostgreSQL {case.server.version_shown}; {machine}; {connections_at_most} connections at most"


def what_follows(advice: Sequence[Advice]) -> Iterator[str]:
    """What has to be done after the statements were run, each a line."""
    due = {effect: [one.name for one in advice if one.takes_effect == effect] for effect in FOLLOWS}
    for effect, names in due.items():
        if names:
            yield f"Then for {', '.join(dict.fromkeys(names))}: {FOLLOWS[effect]}"
    if any(one.takes_effect == "at once" for one in advice):
        yield "ALTER TABLE takes SHARE UPDATE EXCLUSIVE here: no reader or writer waits, a vacuum does."


def notes(case: Case, database: str) -> list[str]:
    """What could not be seen, and what this role may not do."""
    told = []
    if case.machine is None:
        told.append(
            "The server's memory cannot be read from here, so what depends on it is left out: maintenance_work_mem, "
            "effective_cache_size, random_page_cost, work_mem for all. Tell it: "
            f"python manage.py pam_settings --database {database} --memory 16GB"
        )
    failed: dict[str, list[str]] = defaultdict(list)
    for one in case.asked:
        if one.error:
            failed[one.error].append(one.query.name)
    told += [
        f"{len(names)} named queries were not run to their end ({', '.join(names)}): {error}"
        for error, names in failed.items()
    ]
    if case.server.is_standby:
        told.append("This is a standby: tables are altered on the primary.")
    forbidden = [name for name, one in case.server.settings.items() if not one.may_alter]
    if forbidden:
        told.append(
            "ALTER SYSTEM is not for this role: a superuser runs it, or GRANT ALTER SYSTEM ON PARAMETER "
            f"{forbidden[0]}, ... TO {case.server.role}."
        )
    strange = [table.name for table in case.tables if not all(leaf.is_ours for leaf in table.leaves)]
    if strange:
        told.append(f"ALTER TABLE is for the owner, which this role is not, of {', '.join(strange)}.")
    return told
