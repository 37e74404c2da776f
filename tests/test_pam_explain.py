"""`pam_explain`: each named query keeps its promise, and which one does not is said by name."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from pam.explain.judge import judge
from pam.explain.plans import Facts
from pam.explain.sample import NoRows
from pam.postgres.errors import TableMissing
from pam.workload import QUERIES
from tests.support.databases import database_name
from tests.support.document import INDEXES


def explained(alias: str, *names: str, **options: Any) -> tuple[str, str]:
    """What it printed, and how it ended."""
    out = io.StringIO()
    try:
        call_command("pam_explain", *names, database=alias, stdout=out, stderr=io.StringIO(), **options)
    except CommandError as error:
        return out.getvalue(), str(error)
    return out.getvalue(), ""


def test_every_advanced_index_has_its_query():
    assert set(INDEXES) <= {query.indexes[0] for query in QUERIES.values() if query.indexes}
    assert len(QUERIES) >= 25
    assert all(query.about.endswith(".") for query in QUERIES.values())


@pytest.mark.parametrize("analyze", [False, True])
def test_all_keep_their_promise(company, analyze):
    text, error = explained(company, *QUERIES, analyze=analyze)
    assert error == "", text
    assert text.count("ok  ") == len(QUERIES)
    assert ("buffers" in text) is analyze


def test_the_query_of_a_dropped_index_fails_and_names_it(company):
    with connections[company].cursor() as cursor:
        cursor.execute("DROP INDEX ix_audit_logs_actor_timestamp")
    text, error = explained(company, *QUERIES, analyze=True)
    assert error.endswith("queries do not keep their promise: last_week_of_an_actor"), text
    assert "the index ix_audit_logs_actor_timestamp is not there: python manage.py migrate" in text


def test_before_phase_2_it_says_what_is_missing(company):
    call_command("migrate", "pam", "0002_phase2_begin", database=company, verbosity=0)
    text, error = explained(company, "compliance_events", "sign_in")
    assert "1 of 2 queries" in error
    assert "the index ix_audit_logs_compliance_gin is not there: python manage.py migrate" in text


def test_plain_tables_are_compared_with_partitions(company, tmp_path):
    file = tmp_path / "before.json"
    names = ("last_week_of_an_actor", "export_of_the_oldest_month")
    explained(company, *names, analyze=True, save=file)
    call_command("migrate", "pam", "0010_phase3_begin", database=company, verbosity=0)
    text, _ = explained(company, *names, analyze=True, against=file)
    index = "ix_audit_logs_actor_timestamp"
    assert re.search(rf"ok +last_week_of_an_actor .*\n +before +now\n +plan +{index} +{index}\n", text)
    compared = r"\n +partitions +1 of \d+ +1 of 1\n +rows +([\d,]+) +\1\n +buffers +\S+ +\S+\n +time +1 +x \d+\.\d\d\n"
    assert len(re.findall(compared, text)) == len(names)
    document, _ = explained(company, *names, json=True, against=file)
    assert json.loads(document)["queries"][names[0]]["before"]["indexes"] == [index]


def test_json(company):
    text, _ = explained(company, "sign_in", json=True, analyze=True)
    found = json.loads(text)["queries"]["sign_in"]
    assert found["actual_rows"] == 1
    assert found["buffers"] <= found["bound"]
    assert found["findings"] == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"names": ["nobody_asks"]}, "No query is called nobody_asks. There are: active_credentials, "),
        ({"against": "/nowhere"}, "/nowhere cannot be read"),
    ],
)
def test_bad_input(company, options, told):
    against = Path(options["against"]) if "against" in options else None
    _, error = explained(company, *options.get("names", []), against=against)
    assert told in error


def test_a_file_of_somebody_else(company, tmp_path):
    (tmp_path / "x").write_text("[1]")
    _, error = explained(company, against=tmp_path / "x")
    assert "was not made by pam_explain" in error


def test_an_empty_database(migrated):
    with pytest.raises(NoRows, match="pam_load"):
        call_command("pam_explain", "last_week_of_an_actor", database=migrated)


def test_without_tables(database):
    with pytest.raises(TableMissing, match="showmigrations pam"):
        call_command("pam_explain", database=database)


def test_a_read_only_role(company):
    with connections[company].cursor() as cursor:
        cursor.execute(f'ALTER DATABASE "{database_name(company)}" SET default_transaction_read_only = on')
    connections[company].close()
    _, error = explained(company, "sign_in", "compliance_events", analyze=True)
    assert error == ""


def test_a_statement_that_takes_too_long_is_told(company):
    text, error = explained(company, "compliance_events", analyze=True, timeout=1)
    assert "canceling statement due to statement timeout (SQLSTATE 57014)" in " ".join(text.split())
    assert "compliance_events" in error


def facts(**changes: Any) -> Facts:
    usual = {
        "indexes": ("ix_audit_logs_actor_timestamp",),
        "partitions": 1,
        "partitions_there": 12,
        "pages": 9000,
        "scanned_pages": 0,
        "planned_rows": 100,
        "actual_rows": 120,
        "buffers": 200,
        "milliseconds": 1.0,
        "settings": {},
    }
    return Facts(**{**usual, **changes})


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ({"indexes": (), "scanned_pages": 9000}, "it does not use ix_audit_logs_actor_timestamp, but a scan of 9,000"),
        (
            {"indexes": (), "pages": 65, "scanned_pages": 65},
            "it does not use ix_audit_logs_actor_timestamp, but a scan",
        ),
        ({"indexes": ("another",), "pages": 65}, "it does not use ix_audit_logs_actor_timestamp, but another"),
        ({"indexes": ("another",)}, "it does not use ix_audit_logs_actor_timestamp, but another"),
        ({"partitions": 12}, "it touches 12 of 12 partitions; 2 are enough"),
        (
            {"planned_rows": 5000, "actual_rows": 3},
            "the planner expected 5,000 rows, and there were 3: python manage.py pam_analyze",
        ),
        ({"buffers": 40_000}, "it reads 40,000 buffers; 372 are its bound"),
    ],
)
def test_each_broken_promise_is_found(changes, finding):
    query = QUERIES["last_week_of_an_actor"]
    there = {"ix_audit_logs_actor_timestamp"}
    assert judge(query, facts(), there).passes
    assert judge(query, facts(indexes=("another",), pages=64), there).passes
    assert any(found.startswith(finding) for found in judge(query, facts(**changes), there).findings)


@pytest.mark.parametrize("name", ["open_sessions_of_a_user", "sessions_to_end", "idle_sessions"])
def test_either_index_of_open_sessions_will_do_while_few_are_open(name):
    """On a small company the planner takes now the one, now the other; that it reads little is asked all the same."""
    query = QUERIES[name]
    there = set(query.indexes)
    for index in query.indexes:
        assert judge(query, facts(indexes=(index,), partitions_there=1, buffers=3), there).passes
    assert len(there) == 2
    assert not judge(query, facts(indexes=query.indexes, partitions_there=1, buffers=40_000), there).passes


def test_a_file_with_a_query_that_failed_then_and_damaged_ones(company, tmp_path):
    file = tmp_path / "before.json"
    file.write_text('{"format": 2, "queries": {"sign_in": {"findings": ["timeout"], "bound": null}}}')
    text, error = explained(company, "sign_in", against=file)
    assert error == ""
    assert "before" not in text
    for damaged in ('{"format": 2}', '{"format": 2, "queries": []}', '{"format": 2, "queries": {"sign_in": 1}}'):
        file.write_text(damaged)
        assert "is damaged. Make it anew" in explained(company, "sign_in", against=file)[1]
    for place in (tmp_path, tmp_path / "none" / "x"):
        assert "is no place for a file" in explained(company, "sign_in", save=place)[1]
