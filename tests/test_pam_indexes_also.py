"""`pam_indexes --also`: a replica counts its own scans, others are refused; and since when a server counts."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder
from pytest_django import DjangoDbBlocker

from menshun.embedded.processes import end_leftovers
from pam.postgres import counters
from pam.postgres.counters import Server, server
from tests.support.cluster import Cluster
from tests.support.pam_indexes import facts, found, ran, run, scan
from tests.support.servers import ALIAS, DATABASE, database_under_alias, server_under_alias
from tests.support.standby import Standby
from tests.support.threads import until

USED = "public.ix_credentials_name"
LOOK_UP = "SELECT count(*) FROM credentials WHERE name = 'name 7'"


@contextmanager
def under_alias(cluster: Cluster, alias: str) -> Iterator[str]:
    """The database of `ALIAS` as another server has it."""
    place = {"HOST": cluster.host, "PORT": str(cluster.port)}
    connections.databases[alias] = {**connections.databases[ALIAS], **place}
    try:
        yield alias
    finally:
        connections[alias].close()
        del connections[alias]
        del connections.databases[alias]


@pytest.fixture
def primary(django_db_blocker: DjangoDbBlocker) -> Iterator[Cluster]:
    with django_db_blocker.unblock(), server_under_alias({"wal_level": "replica"}) as cluster:
        run(
            ALIAS,
            "CREATE TABLE credentials (id bigint PRIMARY KEY, name text NOT NULL)",
            "INSERT INTO credentials SELECT n, 'name ' || n FROM generate_series(1, 1000) n",
            "CREATE INDEX ix_credentials_name ON credentials (name)",
            "VACUUM (ANALYZE) credentials",
        )
        yield cluster


@pytest.fixture
def standby(primary: Cluster) -> Iterator[Standby]:
    with Standby(primary) as cluster, under_alias(cluster, "standby"):
        yield cluster


def caught_up(primary: Cluster, standby: Standby) -> None:
    ((here,),) = primary.execute("SELECT pg_current_wal_lsn()")
    until(lambda: standby.execute(f"SELECT pg_last_wal_replay_lsn() >= '{here}'") == [(True,)], "caught up")


def without_identifier(connection) -> Server:
    """As a role sees it that may not ask for the identifier."""
    return replace(server(connection), identifier=None)


def test_scans_of_a_replica_are_added(primary, standby, settings):
    settings.PAM_UNUSED_INDEX_DAYS = 0
    assert found(ALIAS, also=["standby"])[USED] == "index-unused"
    caught_up(primary, standby)
    scan("standby", LOOK_UP)
    on_standby = facts("standby", USED)["scans"]
    assert on_standby > 0
    assert found(ALIAS)[USED] == "index-unused"
    scan(ALIAS, LOOK_UP)
    scan(ALIAS, LOOK_UP)
    on_primary = facts(ALIAS, USED)["scans"]
    assert facts(ALIAS, USED, also=["standby"])["scans"] == on_primary + on_standby
    assert USED not in found(ALIAS, also=["standby"])
    told = ran(ALIAS, also=["standby"])[0]
    assert f"Scans: of {ALIAS}, standby, since 20" in told
    assert facts("standby", USED, also=[ALIAS])["scans"] == on_primary + on_standby


def test_an_index_that_has_not_arrived_yet_has_no_scans_there(primary, standby, settings):
    settings.PAM_UNUSED_INDEX_DAYS = 0
    standby.pause()
    run(ALIAS, "CREATE INDEX late ON credentials (id, name)")
    assert found(ALIAS, also=["standby"])["public.late"] == "index-unused"
    standby.resume()


@pytest.mark.parametrize("readable", [True, False])
def test_what_is_no_replica_is_refused(primary, standby, monkeypatch, readable):
    """Also where this role may not read the servers' identifiers."""
    if not readable:
        monkeypatch.setattr(counters, "server", without_identifier)
    with under_alias(primary, "again"):
        text, error, code = ran(ALIAS, also=["again"])
    assert error.startswith("again and cluster are the same server, whose scans would be counted twice.")
    assert (text, code) == ("", 2)
    for twice in (["standby", "standby"], [ALIAS]):
        text, error, code = ran(ALIAS, also=twice)
        assert error.startswith("Each database counts once.")
        assert (text, code) == ("", 2)
    with database_under_alias(primary, "sibling", "sibling"):
        assert ran(ALIAS, also=["sibling"])[1].startswith("sibling is another database than cluster")
    with Cluster(primary.bindir) as stranger:
        stranger.create_database(DATABASE)
        with under_alias(stranger, "stranger"):
            run("stranger", "CREATE TABLE first ()", "CREATE TABLE credentials (id bigint PRIMARY KEY)")
            assert ran(ALIAS, also=["stranger"])[1].startswith("stranger is another database than cluster")


def test_a_copy_that_takes_writes_of_its_own_is_refused(primary, standby):
    standby.execute("SELECT pg_promote()")
    text, error, code = ran(ALIAS, also=["standby"])
    assert error.startswith("standby is a copy of cluster, but no replica any more")
    assert (text, code) == ("", 2)


def test_a_replica_that_is_away_is_told(primary, standby):
    standby.stop()
    _, error, code = ran(ALIAS, also=["standby"])
    assert code == 2
    assert error.startswith(f"The indexes of {ALIAS} could not be looked at: ")
    assert error.endswith(f"python manage.py pam_indexes --also standby --database {ALIAS}")


def test_counters_outlive_a_restart_and_not_a_crash(primary):
    """What the views say of the server as a whole tells when crash recovery threw the counters away."""
    scan(ALIAS, LOOK_UP)
    began = server(connections[ALIAS])
    assert began.since == began.kept_since
    connections[ALIAS].close()
    primary.stop()
    primary.start()
    again = server(connections[ALIAS])
    assert again.since == began.since
    assert again.started_at > began.started_at
    scans = facts(ALIAS, USED)["scans"]
    assert scans > 0
    connections[ALIAS].close()
    primary.kill()
    end_leftovers(primary.data)
    primary.start()
    after = server(connections[ALIAS])
    assert after.since is not None
    assert after.since >= after.started_at.replace(microsecond=0)
    assert facts(ALIAS, USED)["scans"] < scans
    run(ALIAS, "SELECT pg_stat_reset_single_table_counters('ix_credentials_name'::regclass)")
    reset = server(connections[ALIAS])
    assert reset.reset_at is not None
    assert reset.since == reset.reset_at
    assert reset.reset_at > after.since


def test_without_the_identifier_a_replica_is_known_by_its_tables(primary, standby, monkeypatch):
    monkeypatch.setattr(counters, "server", without_identifier)
    assert ran(ALIAS, also=["standby"])[2] == 1


def test_a_server_that_keeps_the_times_of_transactions_tells_the_age_of_an_index(django_db_blocker):
    """Also of one that was made after all migrations."""
    with django_db_blocker.unblock(), server_under_alias({"track_commit_timestamp": "on"}):
        MigrationRecorder(connections[ALIAS]).ensure_schema()
        ((before,),) = run(ALIAS, "CREATE TABLE credentials (id bigint PRIMARY KEY)", "SELECT clock_timestamp()")
        run(ALIAS, "CREATE INDEX by_hand ON credentials (id)")
        ((after,),) = run(ALIAS, "SELECT clock_timestamp()")
        made = datetime.fromisoformat(facts(ALIAS, "public.by_hand")["made_before"])
        assert before - timedelta(milliseconds=1) < made < after
        assert datetime.fromisoformat(facts(ALIAS, "public.credentials_pkey")["made_before"]) < before
