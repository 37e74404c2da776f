"""Each fault of a list is found by its name, and nothing else is; on a healthy database there is nothing to find."""

import io
import re

import pytest
from django.core.management import call_command
from django.db import connections

from pam.health.finding import Finding
from pam.monitoring.examine import examine
from pam.postgres.months import Month
from tests.support.faults import FAULTS, Fault
from tests.support.months import partitions

# The others have a command of ours for a cure, or a choice that somebody must make.
CURED_AS_PRINTED = (
    "a check constraint NOT VALID",
    "the append-only trigger disabled",
    "the append-only trigger disabled on one month",
    "the append-only trigger dropped on one month",
    "autovacuum turned off for a table",
    "a month made by hand",
)


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


@pytest.mark.parametrize(
    "fault", [one for one in FAULTS if one.about in CURED_AS_PRINTED], ids=lambda fault: fault.about
)
def test_the_cure_cures_as_it_is_printed(migrated, fault: Fault):
    first, words = first_month(migrated), names(migrated)
    with connections[migrated].cursor() as cursor:
        cursor.execute(fault.statements.format(**words))
        for one in findings(migrated, first):
            cursor.execute(one.cure)
    assert findings(migrated, first) == []


def test_odd_names_are_quoted_in_the_cure(migrated):
    with connections[migrated].cursor() as cursor:
        cursor.execute('CREATE INDEX "by ""hand" ON credentials (version)')
        cursor.execute('UPDATE pg_index SET indisvalid = false WHERE indexrelid = \'"by ""hand"\'::regclass')
    (one,) = findings(migrated, first_month(migrated))
    assert one.cure.startswith('REINDEX INDEX CONCURRENTLY "public"."by ""hand",')


def test_the_cure_builds_the_indexes_that_are_missing(migrated, caplog):
    """Of months too, where the server has no concurrent way; as it is printed, and it builds nothing else."""
    with connections[migrated].cursor() as cursor:
        cursor.execute("DROP INDEX ix_audit_logs_search_gin, ix_audit_logs_list_result, ix_credentials_search_gin")
        # As a build leaves it that was killed between two months.
        cursor.execute("DROP INDEX ix_audit_logs_list_type")
        cursor.execute("CREATE INDEX ix_audit_logs_list_type ON ONLY audit_logs (event_type, timestamp)")
    for cure in sorted({one.cure for one in findings(migrated, first_month(migrated))}):
        for command in cure.split("  #")[0].split(" && "):
            call_command(*command.removeprefix("python manage.py ").split(), stdout=io.StringIO())
    logged = "\n".join(caplog.messages)
    built = re.findall(r"^(\w+?)(?:_\d{4}_\d{2}|_default)? on .*: built in", logged, re.MULTILINE)
    assert set(built) == {
        "ix_audit_logs_search_gin",
        "ix_audit_logs_list_result",
        "ix_audit_logs_list_type",
        "ix_credentials_search_gin",
    }
    assert findings(migrated, first_month(migrated)) == []


@pytest.mark.parametrize(
    "index",
    [
        "ix_audit_logs_search_gin",
        "ix_credentials_list",
        "ix_credentials_search_gin",
        "ix_credential_rotations_list_done",
    ],
)
def test_the_cure_of_a_missing_index_applies_no_phase_that_is_not_there(phase2, index):
    with connections[phase2].cursor() as cursor:
        cursor.execute(f"DROP INDEX {index}")
    (cure,) = (one.cure for one in findings(phase2, Month(2026, 11)))
    for command in cure.split("  #")[0].split(" && "):
        call_command(*command.removeprefix("python manage.py ").split(), stdout=io.StringIO())
    assert findings(phase2, Month(2026, 11)) == []
    assert partitions(phase2, "audit_logs") == {}
