"""The copy holds while a real replica lags or real commits are slow, says so, and goes on by itself."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

import pytest
from django.db import connections
from pytest_django import DjangoDbBlocker

from pam.postgres.online_copy import capture, engine, throttle
from pam.postgres.online_copy.errors import MoveStopped
from pam.postgres.online_copy.move import Layout
from tests.support.cluster import Cluster
from tests.support.keyboard import ctrl_c_when
from tests.support.months import left_over, partitions
from tests.support.servers import ALIAS, DATABASE, server_under_alias
from tests.support.standby import Standby
from tests.support.threads import actor, until

pytestmark = pytest.mark.once

NOW = datetime(2026, 3, 15, tzinfo=UTC)
LAYOUT = Layout("notes", "at", ("id",), {})
ROWS = 9_000
# Few rows in many blocks: a copy of thousands of chunks, over in seconds.
TABLE = f"""
CREATE TABLE notes (id bigint PRIMARY KEY, at timestamptz NOT NULL, text text) WITH (fillfactor = 10);
INSERT INTO notes SELECT n, timestamptz '2026-01-01 00:00+00' + n * interval '5 minutes', repeat('x', 200)
FROM generate_series(1, {ROWS}) n
"""


@pytest.fixture(scope="module")
def primary(django_db_blocker: DjangoDbBlocker) -> Iterator[Cluster]:
    """A server whose commits wait for the disk, and for `commit_delay` once that is set."""
    with django_db_blocker.unblock(), server_under_alias({"fsync": "on", "commit_siblings": 0}) as server:
        yield server
        connections[ALIAS].close()


@pytest.fixture(scope="module")
def standby(primary: Cluster) -> Iterator[Standby]:
    """Its replica."""
    with Standby(primary) as server:
        yield server


@pytest.fixture
def notes(primary: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The alias of a database with a table of some megabytes; a throttle that looks often and tells often."""
    monkeypatch.setattr(throttle, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(throttle, "TELL_SECONDS", 0.2)
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(TABLE)
    yield ALIAS
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("DROP TABLE notes CASCADE")
    connections[ALIAS].close()


@pytest.fixture
def lagging(notes: str, standby: Standby, settings) -> Iterator[str]:
    """The same with a replica that has stopped some megabytes ago, and a limit of one."""
    settings.PAM_COPY_REPLICA_LAG_MB, settings.PAM_COPY_COMMIT_FACTOR = 1, 0
    until(lambda: standby.primary.execute("SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'"), "it streams")
    standby.pause()
    with connections[notes].cursor() as cursor:
        cursor.execute("UPDATE notes SET text = text || '!'")
    yield notes
    standby.resume()


def convert(alias: str = ALIAS) -> None:
    engine.convert(connections[alias], LAYOUT, to_months=True, now=NOW)


@contextmanager
def at_the_end(undo: Callable[[], None]) -> Iterator[None]:
    """Take the reason to hold away, also after a failure: else the copy, and with it the test, would hold for ever."""
    try:
        yield
    finally:
        undo()


def assert_converted(alias: str = ALIAS) -> None:
    assert len(partitions(alias, "notes")) > 2
    assert left_over(alias) == []
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT count(*), count(DISTINCT id) FROM notes")
        assert cursor.fetchone() == (ROWS, ROWS)


def chunks_done(server: Cluster) -> int:
    (there,) = server.execute("SELECT to_regclass('notes_menshun_chunks')", DATABASE)
    if there == (None,):
        return 0
    ((count,),) = server.execute("SELECT count(rows) FROM notes_menshun_chunks", DATABASE)
    return int(str(count))


def probes(server: Cluster, count: int) -> None:
    """Return once so many more probes have been begun: each leaves its number in the row that it locks."""
    seen: set[str] = set()

    def were_seen() -> bool:
        seen.add(str(server.execute("SELECT xmax FROM notes_menshun_record", DATABASE)))
        return len(seen) > count

    until(were_seen, f"{count} probes")


def test_a_replica_that_lags_holds_the_copy_until_it_has_caught_up(lagging, primary, standby, caplog):
    caplog.set_level("INFO", "pam.migrations")
    with actor(convert) as copying, at_the_end(standby.resume):
        until(lambda: "public.notes: the copy still holds, for 0:00:0" in caplog.text or copying.done(), "it holds")
        assert not copying.done()
        assert "the copy holds: the replica walreceiver (a socket) is " in caplog.text
        assert "MB behind (limit 1 MB: PAM_COPY_REPLICA_LAG_MB)" in caplog.text
        assert chunks_done(primary) == 0
    assert "public.notes: the copy goes on; it was held for 0:00:0" in caplog.text
    assert_converted()


IDLE = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND state = 'idle' AND now() - state_change > interval '0.4 s'
"""


def test_who_is_held_is_not_idle_for_too_long(lagging, primary, standby):
    """Both workers, and who waits for them, are there still long after the server would end idle sessions."""
    connections[lagging].close()
    primary.execute(f"ALTER DATABASE {DATABASE} SET idle_session_timeout = '200ms'")
    try:
        with actor(convert) as copying, at_the_end(standby.resume):
            until(lambda: primary.execute(IDLE, DATABASE)[0][0] > 2 or copying.done(), "they idle")
            assert not copying.done()
    finally:
        primary.execute(f"ALTER DATABASE {DATABASE} RESET idle_session_timeout")
        connections[lagging].close()
    assert_converted()


def test_a_replica_that_keeps_up_holds_nothing(notes, standby, settings, caplog):
    settings.PAM_COPY_COMMIT_FACTOR = 0
    convert()
    assert "the copy holds" not in caplog.text
    assert_converted()


def test_switched_off_nobody_looks(lagging, settings, caplog):
    settings.PAM_COPY_REPLICA_LAG_MB = 0
    convert()
    assert "the copy holds" not in caplog.text
    assert_converted()


@pytest.fixture
def slowed(primary: Cluster) -> Iterator[None]:
    """What a test sets for the whole server is taken back."""
    yield
    primary.execute("ALTER SYSTEM RESET ALL")
    primary.execute("SELECT pg_reload_conf()")


@pytest.fixture
def many_chunks(notes: str, monkeypatch: pytest.MonkeyPatch, settings) -> str:
    """A chunk for each block, so that something can happen in the middle; only commits are looked at."""
    monkeypatch.setattr(capture, "CHUNK_BLOCKS", 1)
    settings.PAM_COPY_REPLICA_LAG_MB, settings.PAM_COPY_WORKERS = 0, 1
    return notes


@pytest.mark.usefixtures("slowed")
@pytest.mark.parametrize("durability", ["on", "off"])
def test_commits_that_become_slow_hold_the_copy_in_the_middle(many_chunks, primary, settings, caplog, durability):
    """Also when the role's own commits wait for nothing."""
    settings.PAM_COPY_COMMIT_FACTOR = 2
    primary.change(f"synchronous_commit = {durability}")
    caplog.set_level("INFO", "pam.migrations")
    with actor(convert) as copying, at_the_end(partial(primary.change, "commit_delay = 0")):
        until(lambda: chunks_done(primary) or copying.done(), "some chunks are copied")
        primary.change("commit_delay = 100000")
        until(lambda: "public.notes: the copy still holds" in caplog.text or copying.done(), "the copy holds")
        assert not copying.done()
        assert "the copy holds: commits take 1" in caplog.text
        assert " ms before the copy, limit " in caplog.text
        done = chunks_done(primary)
        probes(primary, 3)
        assert 0 < chunks_done(primary) == done
    assert "public.notes: the copy goes on; it was held for 0:00:0" in caplog.text
    assert_converted()


@pytest.mark.usefixtures("slowed")
def test_a_commit_that_nobody_answers_holds_the_copy(many_chunks, primary, monkeypatch, caplog):
    """A synchronous replica that is gone: commits wait for it, as the probe does."""
    monkeypatch.setattr(throttle, "CERTAIN_MS", 300)
    with actor(convert) as copying, at_the_end(partial(primary.change, "synchronous_standby_names = ''")):
        until(lambda: chunks_done(primary) or copying.done(), "some chunks are copied")
        primary.change("synchronous_standby_names = 'gone'")
        until(lambda: "the copy holds: a commit has been waiting for " in caplog.text or copying.done(), "it holds")
        assert not copying.done()
    assert "public.notes: the copy goes on" in caplog.text
    assert_converted()


def seconds_to_stop(caplog: pytest.LogCaptureFixture) -> float:
    """Convert, press Ctrl-C once it holds, and return how long it took from there to the end."""
    with ctrl_c_when(lambda: "the copy holds" in caplog.text, "the copy holds") as pressing:
        with pytest.raises(MoveStopped, match="0 rows are copied and kept"):
            convert()
        return time.monotonic() - pressing.result()


def test_ctrl_c_while_a_replica_lags(lagging, caplog):
    assert seconds_to_stop(caplog) < 2
    assert "the copy goes on" not in caplog.text
    engine.abandon(connections[lagging], LAYOUT)
    assert left_over(lagging) == []


@pytest.mark.usefixtures("slowed")
def test_ctrl_c_while_the_probe_itself_waits(notes, primary, settings, monkeypatch, caplog):
    """Its commit would wait for ever: it is cancelled on the server."""
    settings.PAM_COPY_REPLICA_LAG_MB = 0
    monkeypatch.setattr(throttle, "CERTAIN_MS", 100)
    monkeypatch.setattr(throttle, "BASELINE_PROBES", 1)
    primary.change("synchronous_standby_names = 'gone'")
    with connections[notes].cursor() as cursor:
        # Only the watcher's commits wait: what comes before the copy commits at once.
        cursor.execute("SET synchronous_commit = local")
    assert seconds_to_stop(caplog) < 2
    assert "the copy holds: a commit has been waiting for 0 s" in caplog.text
    assert primary.execute("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'") == []
    engine.abandon(connections[notes], LAYOUT)


@pytest.fixture
def plain_role(lagging: str, primary: Cluster) -> Iterator[str]:
    """The alias of a role that owns the table and may not see how far replicas are."""
    primary.execute(
        "CREATE ROLE plain LOGIN; GRANT CREATE ON SCHEMA public TO plain; ALTER TABLE notes OWNER TO plain", DATABASE
    )
    connections.databases["plain"] = {**connections.databases[ALIAS], "USER": "plain"}
    yield "plain"
    connections["plain"].close()
    del connections["plain"]
    del connections.databases["plain"]
    primary.execute("DROP OWNED BY plain CASCADE; DROP ROLE plain", DATABASE)
    primary.execute(TABLE, DATABASE)


def test_a_role_that_may_not_see_replicas_says_so_once(plain_role, many_chunks, settings, caplog):
    settings.PAM_COPY_REPLICA_LAG_MB = 1
    convert(plain_role)
    assert caplog.text.count("public.notes: this role may not see how far replicas are behind") == 1
    assert "the copy holds" not in caplog.text
    assert_converted(plain_role)


WATCHER = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE query LIKE '%pg_stat_replication%' AND pid <> pg_backend_pid()"
)


def test_a_watcher_that_is_thrown_out_says_so_and_comes_back(
    lagging, many_chunks, primary, standby, settings, monkeypatch, caplog
):
    """Meanwhile nothing is held: what was seen last may be over."""
    settings.PAM_COPY_REPLICA_LAG_MB = 1
    # Workers ask some times while nobody looks.
    monkeypatch.setattr(throttle, "LOOK_SECONDS", 0.3)
    monkeypatch.setattr(throttle, "STEP_SECONDS", 0.01)
    caplog.set_level("INFO", "pam.migrations")
    with actor(convert) as copying, at_the_end(standby.resume):
        until(lambda: "the copy holds" in caplog.text or copying.done(), "it holds")
        assert primary.execute(WATCHER) == [(True,)]
        until(lambda: caplog.text.count("the copy holds") == 2 or copying.done(), "it holds again")
        assert not copying.done()
        assert caplog.text.count("cannot be looked at, so the copy does not wait for them: ") == 1
        assert caplog.text.count("the copy goes on") == 1
    assert_converted()
