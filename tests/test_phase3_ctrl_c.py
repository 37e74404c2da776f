"""Ctrl-C while phase 3 is at something long: it is cancelled on the server, and the next run goes on."""

import io
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import wait
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from pam.postgres.online_copy import engine, parallel, steps, verify
from pam.postgres.online_copy.errors import MoveStopped
from pam.postgres.online_copy.move import Layout
from pam.postgres.online_copy.step import Step
from pam.postgres.run_lock import RUN_LOCK
from tests.support.clients import Client, checksums
from tests.support.databases import is_waited_for, session
from tests.support.keyboard import ctrl_c_when
from tests.support.months import BEGIN, CONVERTED, add_sessions, left_over, partitions

END = "2027-01-01"
NOW = datetime(2026, 11, 20, 13, 37, 11, tzinfo=UTC)
LAYOUT = Layout("sessions", "created_at", ("id",), {"uq_sessions_session_token_hash": ("session_token_hash",)})
# An index on it is built as soon as nobody has the lock for himself; on a certain row not at all, if somebody wants so.
HELD = """
CREATE FUNCTION held(n integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF n = 99 AND NOT pg_try_advisory_xact_lock_shared(7014) THEN
        RAISE EXCEPTION 'no index today';
    END IF;
    PERFORM pg_advisory_xact_lock_shared(7013);
    RETURN n;
END $$;
"""
INDEX = "CREATE INDEX theirs ON sessions (held(request_count))"


@pytest.fixture
def holder(phase2: str) -> Iterator[Connection]:
    """Somebody who may hold a build; there are sessions of some months, the row of its own in the first of them."""
    Client(phase2, "seed").step(0)
    add_sessions(phase2, 300, 110, "2026-07-05 13:37:11+00")
    with session(phase2) as other, other.cursor() as cursor:
        cursor.execute(HELD)
        cursor.execute(
            "UPDATE sessions SET request_count = 99 WHERE created_at = (SELECT min(created_at) FROM sessions)"
        )
        yield other


def converted(alias: str, target: str) -> None:
    call_command("migrate", "pam", target, database=alias, verbosity=0)


@pytest.mark.parametrize("again", [False, True], ids=["once", "twice"])
def test_while_an_index_is_built(phase2, holder, monkeypatch, again):
    """There and back. The build would last until the lock is given back, which is after the run."""
    monkeypatch.setattr(parallel, "END_SECONDS", 3600 if again else 0.1)

    def pressed_again(futures: Any, timeout: float | None, **options: Any) -> Any:
        if timeout == 3600:
            os.kill(os.getpid(), signal.SIGINT)
        return wait(futures, timeout, **options)

    monkeypatch.setattr(parallel, "wait", pressed_again)
    with holder.cursor() as cursor:
        cursor.execute(INDEX)
        before = checksums(phase2, END)
        for target in (CONVERTED, BEGIN):
            cursor.execute("SELECT pg_advisory_lock(7013)")
            with (
                ctrl_c_when(lambda: is_waited_for(phase2, holder), "it is built"),
                pytest.raises(MoveStopped, match=r"python manage\.py migrate"),
            ):
                converted(phase2, target)
            assert not is_waited_for(phase2, holder)
            cursor.execute("SELECT pg_advisory_unlock(7013)")
            assert bool(partitions(phase2, "sessions")) == (target == BEGIN), "it is as it was"
            converted(phase2, target)
            assert bool(partitions(phase2, "sessions")) == (target == CONVERTED)
            assert left_over(phase2) == []
            assert checksums(phase2, END) == before


def test_while_it_looks_for_obstacles(phase2, holder):
    """Which reads all rows."""
    with holder.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE")
        with (
            ctrl_c_when(lambda: is_waited_for(phase2, holder), "it looks"),
            pytest.raises(MoveStopped, match=r"before anything was changed.*python manage\.py migrate"),
        ):
            engine.convert(connections[phase2], LAYOUT, to_months=True, now=NOW)
        assert not is_waited_for(phase2, holder)
        cursor.execute("ROLLBACK")
    assert left_over(phase2) == []


def test_after_the_swap(phase2, holder, monkeypatch):
    def pressed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as pressing:
        pressing.setattr(steps, "ending", pressed)
        with pytest.raises(MoveStopped, match=r"sessions: stopped\. It is swapped and in use"):
            engine.convert(connections[phase2], LAYOUT, to_months=True, now=NOW)
    assert partitions(phase2, "sessions") != {}
    converted(phase2, CONVERTED)
    assert left_over(phase2) == []


def test_while_another_run_is_waited_for(phase2, holder, caplog):
    with holder.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, %s)", RUN_LOCK)
        with (
            ctrl_c_when(lambda: "Another run is changing" in caplog.text, "it waits"),
            pytest.raises(CommandError, match=r"(?s)Interrupted; .*pam_partitions prepare --database"),
        ):
            call_command("pam_partitions", "prepare", database=phase2, stdout=io.StringIO())
    assert left_over(phase2) == []


def test_while_it_verifies(phase2, holder, monkeypatch):
    """Whose workers are those of a worker."""
    monkeypatch.setattr(parallel, "END_SECONDS", 0.1)
    with holder.cursor() as cursor, monkeypatch.context() as slowly:
        slowly.setattr(verify, "HASH", sql.SQL("held(1)::bigint"))
        cursor.execute("SELECT pg_advisory_lock(7013)")
        with ctrl_c_when(lambda: is_waited_for(phase2, holder), "it verifies"), pytest.raises(MoveStopped):
            converted(phase2, CONVERTED)
        assert not is_waited_for(phase2, holder)
        cursor.execute("SELECT pg_advisory_unlock(7013)")
    converted(phase2, CONVERTED)
    assert left_over(phase2) == []


def test_while_the_others_end_after_a_failure(phase2, holder, monkeypatch):
    """One month has failed and the others are built to their end: he who does not want to wait for that is told why."""
    failed = threading.Event()

    def seen(futures: Any, timeout: float | None, **options: Any) -> Any:
        if timeout is None:
            failed.set()
        return wait(futures, timeout, **options)

    monkeypatch.setattr(parallel, "wait", seen)
    with holder.cursor() as cursor:
        cursor.execute(INDEX)
        cursor.execute("SELECT pg_advisory_lock(7013), pg_advisory_lock(7014)")
        with (
            ctrl_c_when(lambda: failed.is_set() and is_waited_for(phase2, holder), "one failed, another one is built"),
            pytest.raises(CommandError, match="no index today"),
        ):
            converted(phase2, CONVERTED)
        assert not is_waited_for(phase2, holder)
        cursor.execute("SELECT pg_advisory_unlock_all()")
    converted(phase2, CONVERTED)
    assert left_over(phase2) == []


def test_while_a_step_waits_that_no_other_runs_beside(phase2, holder):
    step = Step("wait", (sql.SQL("SELECT pg_advisory_lock(7013)"),), sql.SQL("SELECT false"), in_transaction=False)
    with holder.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(7013)")
        with ctrl_c_when(lambda: is_waited_for(phase2, holder), "it waits"), pytest.raises(KeyboardInterrupt) as ended:
            parallel.run(connections[phase2], [step])
        assert "canceling statement" in str(ended.value.__cause__)
        assert not is_waited_for(phase2, holder)
