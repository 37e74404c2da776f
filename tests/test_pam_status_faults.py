"""Each fault of a list is found by its name, and nothing else is; on a healthy database there is nothing to find."""

import pytest
from django.db import connections

from pam.health.finding import Finding
from pam.monitoring.examine import examine
from pam.postgres.months import Month
from tests.support.faults import FAULTS, Fault
from tests.support.months import partitions


def months_of(alias: str, table: str) -> list[str]:
    return sorted(name for name in partitions(alias, table) if not name.endswith("_default"))


def names(alias: str) -> dict[str, str]:
    """What stands for the months in a fault's statements."""
    audit, sessions = months_of(alias, "audit_logs")[3], months_of(alias, "sessions")
    last = Month(*map(int, sessions[-1].removeprefix("sessions_").split("_")))
    return {
        "audit": audit,
        "suffix": audit.removeprefix("audit_logs_"),
        "last": sessions[-1],
        "last_but_one": sessions[-2],
        "last_but_two": sessions[-3],
        "start": last.start.date().isoformat(),
        "end": last.end.date().isoformat(),
        "after": last.plus(1).end.date().isoformat(),
    }


def findings(alias: str, first: Month) -> list[Finding]:
    """As of an afternoon in the first month that the migration made."""
    return list(examine(connections[alias], first.start.replace(day=14, hour=13, minute=37, second=11)).findings)


def first_month(alias: str) -> Month:
    return Month(*map(int, months_of(alias, "sessions")[0].removeprefix("sessions_").split("_")))


def test_a_healthy_database(migrated):
    assert findings(migrated, first_month(migrated)) == []


def test_a_healthy_database_of_plain_tables(phase2):
    assert findings(phase2, Month(2026, 11)) == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.about)
def test_fault(migrated, fault: Fault):
    first, words = first_month(migrated), names(migrated)
    with connections[migrated].cursor() as cursor:
        cursor.execute(fault.statements.format(**words) if "{" in fault.statements else fault.statements)
    found = findings(migrated, first)
    assert (fault.id, fault.subject.format(**words)) in [(one.id, one.subject) for one in found]
    assert {one.id for one in found} == {fault.id, *fault.along}, found
    assert all(one.evidence and one.cure for one in found)
