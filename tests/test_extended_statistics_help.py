"""Each extended statistics object of phase 3 is there for a query whose rows the planner guesses wrongly without it."""

from importlib import import_module

import pytest
from django.core.management import call_command
from django.db import connections

from pam.explain.plans import explain
from pam.explain.sample import Sample
from pam.postgres import extended_statistics
from pam.postgres.extended_statistics import ExtendedStatistics
from pam.workload import QUERIES

OPERATIONS = import_module("pam.migrations.0013_phase3_extended_statistics").Migration.operations
TABLES = {"AuditLog": "audit_logs", "ServiceIdentity": "service_identities"}
HELPED = {
    "st_audit_logs_outcome": "denials_of_a_month",
    "st_service_identities_activity": "identities_out_of_use",
}


def off_by(alias: str, query: str) -> float:
    """By which factor the planner's number of rows is wrong; the rows are counted by running the query."""
    facts = explain(alias, QUERIES[query].build(Sample(alias)), analyze=True, timeout_ms=60_000)
    assert facts.actual_rows, "the query finds something"
    fewer, more = sorted((facts.actual_rows, facts.planned_rows))
    return more / fewer


@pytest.mark.parametrize("stop", ["0013", "0010"], ids=["partitioned", "plain"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_an_estimate_off_by_five_comes_within_two(company, operation, stop):
    call_command("migrate", "pam", stop, database=company, verbosity=0)
    connection, table = connections[company], TABLES[operation.model_name]
    statistics = ExtendedStatistics(operation.name, tuple(operation.fields), tuple(operation.kinds))
    extended_statistics.ensure(connection, table, statistics)
    assert off_by(company, HELPED[operation.name]) <= 2
    extended_statistics.remove(connection, table, statistics)
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {table}")
    assert off_by(company, HELPED[operation.name]) >= 5
