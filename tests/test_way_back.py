"""The way back: from a run that was interrupted, past readers, and not over what others have built."""

import io
import logging

import pytest
from django.core.management import call_command
from django.db import connections

from menshun.backend.schema import DependentObjects
from pam.postgres import locks
from pam.postgres.errors import LockUnavailable
from pam.postgres.locks import Patience
from tests.support.databases import session
from tests.support.document import INDEXES
from tests.support.indexes import index_validity, invalidate
from tests.support.threads import actor, failure_of, until


def migrate(alias: str, *target: str) -> None:
    call_command("migrate", *target, database=alias, stdout=io.StringIO())


def execute(alias: str, *statements: str) -> None:
    with connections[alias].cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def tables(alias: str) -> set[str]:
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm') AND relname !~ '^(pg|sql)_'")
        return {name for (name,) in cursor.fetchall()}


def forget(alias: str, migration: str) -> None:
    """As a run leaves it that was killed before it could record the migration."""
    with connections[alias].cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'pam' AND name = %s", [migration])
        assert cursor.rowcount == 1


@pytest.mark.parametrize("target", ["0002_phase2_begin", "zero"])
def test_an_interrupted_phase_2_goes_back_whole(phase2, target, caplog):
    """Killed with sixteen indexes built and the last one INVALID."""
    migrate(phase2, "pam", "0004")
    forget(phase2, "0004_phase2_advanced_indexes")
    invalidate(phase2, "ix_audit_logs_search_gin")
    migrate(phase2, "pam", target)
    assert not set(index_validity(phase2, "ix_%")) & set(INDEXES)
    with connections[phase2].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'")
        assert cursor.fetchone() == (0,)
    migrate(phase2, "pam")
    assert all(index_validity(phase2, "ix_%")[name] for name in INDEXES)


def test_going_on_after_an_interruption_says_the_truth_of_the_extension(phase2, caplog):
    caplog.set_level(logging.INFO, "pam.migrations")
    migrate(phase2, "pam", "0003")
    forget(phase2, "0003_phase2_trigram_extension")
    migrate(phase2)
    assert "was there before" not in caplog.text


def test_zero_waits_in_no_queue(phase2, monkeypatch):
    """A report runs; readers who come later are served while `zero` tries, and it ends by naming the report."""
    impatient = Patience(lock_timeout_ms=50, attempts=5, first_pause=0.05, longest_pause=0.05)
    monkeypatch.setattr(locks, "BRIEF", impatient)
    monkeypatch.setattr(locks, "CALM", impatient)
    migrate(phase2, "pam", "0001")
    before = tables(phase2)
    served = 0
    with session(phase2) as report, report.cursor() as cursor, session(phase2) as later, later.cursor() as reader:
        cursor.execute("BEGIN; SELECT count(*) FROM audit_logs")
        reader.execute("SET statement_timeout = '2s'")
        with actor(lambda: migrate(phase2, "pam", "zero")) as zero:
            while not zero.done():
                reader.execute("SELECT count(*) FROM audit_logs")
                served += 1
            error = failure_of(zero)
        reporter = report.info.backend_pid
    assert served > 0
    assert isinstance(error, LockUnavailable)
    assert reporter in [holder.pid for holder in error.holders]
    assert "SELECT count(*) FROM audit_logs" in str(error)
    assert tables(phase2) == before, "phase 1 is whole"
    migrate(phase2, "pam", "zero")
    assert "audit_logs" not in tables(phase2)


def test_what_others_have_built_is_named_and_stays(phase2):
    execute(
        phase2,
        "CREATE VIEW their_view AS SELECT upn FROM privileged_users",
        "CREATE TABLE their_table (id uuid REFERENCES privileged_users (id))",
    )
    before = tables(phase2)
    with pytest.raises(DependentObjects, match="view their_view depends on table privileged_users"):
        migrate(phase2, "pam", "zero")
    assert tables(phase2) == before - {"size_snapshots"}, "whose migration goes back before that of phase 1 is tried"
    execute(phase2, "DROP VIEW their_view", "DROP TABLE their_table")
    migrate(phase2, "pam", "zero")
    assert "privileged_users" not in tables(phase2)


def test_sqlmigrate_backwards_takes_the_locks_first(phase2):
    out = io.StringIO()
    call_command("sqlmigrate", "pam", "0001", backwards=True, database=phase2, stdout=out)
    printed = out.getvalue()
    assert printed.index("LOCK TABLE") < printed.index("DROP")
    assert "CASCADE" not in printed


def test_a_reader_is_seen_waiting_for_nobody(phase2):
    """The control of the test above: a plain DROP TABLE does make a later reader wait."""
    with session(phase2) as report, report.cursor() as cursor, session(phase2) as dropper:
        cursor.execute("BEGIN; SELECT count(*) FROM django_session")

        def drop() -> None:
            with dropper.cursor() as dropping:
                dropping.execute("DROP TABLE django_session")

        with actor(drop), connections[phase2].cursor() as reader:
            until(lambda: _is_waiting(phase2, dropper.info.backend_pid), "the drop waits")
            reader.execute("SET statement_timeout = '300ms'")
            with pytest.raises(Exception, match="statement timeout"):
                reader.execute("SELECT count(*) FROM django_session")
            cursor.execute("COMMIT")


def _is_waiting(alias: str, pid: int) -> bool:
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", [pid])
        return bool(cursor.fetchone()[0])
