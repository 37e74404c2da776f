"""Ctrl-C while phase 3 is at something long: it is cancelled on the server, and the next run goes on."""

import os
import signal
from concurrent.futures import wait
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError, connections
from psycopg2 import sql

from pam.postgres.online_copy import parallel
from pam.postgres.online_copy.errors import MoveStopped
from pam.postgres.online_copy.step import Step
from tests.support.clients import Client, checksums
from tests.support.databases import is_waited_for, session
from tests.support.keyboard import ctrl_c_when
from tests.support.months import BEGIN, CONVERTED, add_sessions, left_over, partitions

END = "2027-01-01"
# An index on it is built as soon as nobody has the lock for himself.
HELD = """
CREATE FUNCTION held(n integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS
'BEGIN PERFORM pg_advisory_xact_lock_shared(7013); RETURN n; END';
CREATE INDEX theirs ON sessions (held(request_count));
"""


@pytest.mark.parametrize("again", [False, True], ids=["once", "twice"])
def test_while_an_index_is_built(phase2, monkeypatch, again):
    """There and back. The build would last until the lock is given back, which is after the run."""
    Client(phase2, "seed").step(0)
    add_sessions(phase2, 300, 110, "2026-07-05 13:37:11+00")
    monkeypatch.setattr(parallel, "END_SECONDS", 3600 if again else 0.1)

    def pressed_again(futures: Any, timeout: float, **options: Any) -> Any:
        if timeout == 3600:
            os.kill(os.getpid(), signal.SIGINT)
        return wait(futures, timeout, **options)

    monkeypatch.setattr(parallel, "wait", pressed_again)
    before = checksums(phase2, END)
    with session(phase2) as holder, holder.cursor() as cursor:
        cursor.execute(HELD)
        for target in (CONVERTED, BEGIN):
            cursor.execute("SELECT pg_advisory_lock(7013)")
            with (
                ctrl_c_when(lambda: is_waited_for(phase2, holder), "it is built"),
                pytest.raises(MoveStopped, match=r"python manage\.py migrate"),
            ):
                call_command("migrate", "pam", target, database=phase2, verbosity=0)
            assert not is_waited_for(phase2, holder)
            cursor.execute("SELECT pg_advisory_unlock(7013)")
            assert bool(partitions(phase2, "sessions")) == (target == BEGIN), "it is as it was"
            call_command("migrate", "pam", target, database=phase2, verbosity=0)
            assert bool(partitions(phase2, "sessions")) == (target == CONVERTED)
            assert left_over(phase2) == []
            assert checksums(phase2, END) == before


def test_while_a_step_waits_that_no_other_runs_beside(phase2):
    step = Step("wait", (sql.SQL("SELECT pg_advisory_lock(7013)"),), sql.SQL("SELECT false"), in_transaction=False)
    with session(phase2) as holder, holder.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(7013)")
        with (
            ctrl_c_when(lambda: is_waited_for(phase2, holder), "it waits"),
            pytest.raises(OperationalError, match="canceling statement"),
        ):
            parallel.run(connections[phase2], [step])
        assert not is_waited_for(phase2, holder)
