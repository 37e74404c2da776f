"""Bloat: the estimate against what pgstattuple measures, and what can be said without rights or statistics."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connections
from pytest_django import DjangoDbBlocker

from pam.postgres.index_bloat import ESTIMATE, MEASURED, measured
from tests.support.databases import database_name, throwaway_database
from tests.support.pam_indexes import document, facts, found, ran, run
from tests.support.threads import until

NAME = "public.ix_privileged_users_display_name"


@contextmanager
def plain_role(alias: str) -> Iterator[str]:
    """An alias of the same database as a role that was given nothing."""
    run(alias, "DROP ROLE IF EXISTS index_reader", "CREATE ROLE index_reader LOGIN PASSWORD 'secret'")
    connections.databases["reader"] = {
        **copy.deepcopy(connections.databases[alias]),
        "USER": "index_reader",
        "PASSWORD": "secret",
    }
    try:
        yield "reader"
    finally:
        connections["reader"].close()
        del connections["reader"]
        del connections.databases["reader"]
        run(alias, "DROP OWNED BY index_reader", "DROP ROLE index_reader")


def bloat_it(alias: str) -> None:
    """Each name of 250 characters is written a hundred times, and nothing is vacuumed in between."""
    for _ in range(100):
        run(alias, "UPDATE privileged_users SET display_name = left(repeat(md5(random()::text), 9), 250)")

    def is_clean() -> bool:
        """Not while an autovacuum elsewhere in the database still holds a snapshot that sees what was before."""
        run(alias, "VACUUM (ANALYZE) privileged_users")
        (entries,) = run(alias, f"SELECT reltuples FROM pg_class WHERE oid = '{NAME}'::regclass")
        return bool(entries == run(alias, "SELECT count(*)::float FROM privileged_users")[0])

    until(is_clean, "all dead entries are gone")


@pytest.fixture(scope="module")
def bloated_template(django_db_blocker: DjangoDbBlocker, company_template: str) -> Iterator[str]:
    """The name of a database with a bloated company in it, to be copied."""
    with django_db_blocker.unblock(), throwaway_database("bloated_template", company_template) as alias:
        bloat_it(alias)
        connections[alias].close()
        yield database_name(alias)


@pytest.fixture
def bloated(django_db_blocker: DjangoDbBlocker, bloated_template: str) -> Iterator[str]:
    """The alias of a throw-away database with a bloated company in it."""
    with django_db_blocker.unblock(), throwaway_database("bloated", bloated_template) as alias:
        yield alias


def test_the_estimate_is_near_what_is_measured(company):
    """On indexes of some size just built, no more than the page or two at their ends; deduplication only lowers it."""
    run(company, "CREATE EXTENSION pgstattuple", "REINDEX TABLE sessions", "REINDEX TABLE audit_logs", "ANALYZE")
    looked_at = 0
    for one in document(company)["indexes"]:
        if one["bytes"] < 1_000_000 or "gin" in one["index"]:
            continue
        looked_at += 1
        exact = measured(connections[company], run(company, f"SELECT '{one['index']}'::regclass::oid")[0][0], 10_000)
        assert exact is not None
        assert exact.source == MEASURED
        assert exact.share is not None
        assert one["bloat"]["source"] == ESTIMATE
        assert one["bloat"]["share"] <= exact.share + 0.12, one
    assert looked_at >= 5


@pytest.mark.once
def test_a_bloated_index_is_found_and_its_cure_works(bloated):
    assert found(bloated)[NAME] == "index-bloated"
    told = facts(bloated, NAME)["bloat"]
    assert told["source"] == ESTIMATE
    assert told["bytes"] > 10 * 1024 * 1024
    (cure,) = (one["cure"] for one in document(bloated)["findings"] if one["subject"] == NAME)
    run(bloated, "CREATE EXTENSION pgstattuple")
    by_measure = facts(bloated, NAME)["bloat"]
    assert by_measure["source"] == MEASURED
    assert abs(by_measure["share"] - told["share"]) < 0.1
    assert "measured by pgstatindex where the estimate was high" in ran(bloated)[0]
    run(bloated, cure)
    assert NAME not in found(bloated)


def test_gin_has_no_estimate(company):
    bloat = facts(company, "public.ix_audit_logs_search_gin")["bloat"]
    assert bloat == {"bytes": None, "share": None, "source": "there is no estimate for gin"}
    assert "indexes unknown (-): there is no estimate for gin." in ran(company)[0]


def test_an_index_over_an_expression_has_statistics_of_its_own(company):
    run(company, "CREATE INDEX by_hand ON sessions (lower(user_agent))", "ANALYZE sessions")
    assert facts(company, "public.by_hand")["bloat"]["share"] < 0.2


def test_without_statistics_nobody_knows(company):
    run(
        company,
        "CREATE TABLE aside (LIKE credentials INCLUDING ALL)",
        "INSERT INTO aside SELECT * FROM credentials",
        "ALTER TABLE credentials RENAME TO before",
        "ALTER TABLE aside RENAME TO credentials",
    )
    (key,) = (one for one in document(company)["indexes"] if one["index"] == "public.aside_pkey")
    assert key["bloat"]["source"].startswith("no statistics that this role may read: ANALYZE the table")


@pytest.mark.once
def test_a_role_without_rights_sees_what_it_may_and_is_told_what_not(bloated):
    run(bloated, "CREATE EXTENSION pgstattuple")
    seen = {one["index"]: one["bytes"] for one in document(bloated)["indexes"]}
    with plain_role(bloated) as reader:
        run(bloated, f'GRANT CONNECT ON DATABASE "{database_name(bloated)}" TO index_reader')
        text, _, code = ran(reader)
        assert {one["index"]: one["bytes"] for one in document(reader)["indexes"]} == seen
        assert found(reader) == {"reader": "counters-too-young"}
        assert code == 1
        assert "How old an index is cannot be told: django_migrations of reader" in text
        assert "indexes unknown (-): no statistics that this role may read" in text
        run(bloated, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO index_reader")
        assert found(reader)[NAME] == "index-bloated"
        assert facts(reader, NAME)["bloat"]["source"] == ESTIMATE  # the extension is not for everybody
        assert "cannot be told" not in ran(reader)[0]
