"""Clients who hold, change or delete what the copy refers to, and things of others that have our names."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections
from psycopg2.extensions import connection as Connection

from pam.models import PrivilegedUser
from pam.postgres import locks
from pam.postgres.errors import LockUnavailable
from pam.postgres.locks import Patience
from pam.postgres.online_copy import capture, replay, rows
from pam.postgres.online_copy.errors import MoveStopped, ObstaclesFound
from tests.support.clients import Client, checksums
from tests.support.databases import is_waited_for, session
from tests.support.months import BEGIN, CONVERTED, add_sessions, left_over, partitions
from tests.support.rows import build
from tests.support.servers import ALIAS, server_under_alias
from tests.support.threads import actor, until

END = "2027-01-01"
# Of four months.
DAYS = (110, "2026-07-05 13:37:11+00")
MINE = {"after a swap": "sessions_menshun_old", "before one": "sessions_menshun_new"}


@pytest.fixture
def full(phase2: str) -> str:
    Client(phase2, "seed").step(0)
    add_sessions(phase2, 300, *DAYS)
    return phase2


@pytest.fixture
def prepared(full: str) -> str:
    """With sessions that were changed since, and wait to be replayed."""
    call_command("pam_partitions", "prepare", database=full, stdout=io.StringIO())
    with connections[full].cursor() as cursor:
        cursor.execute("UPDATE sessions SET request_count = 7 WHERE id IN (SELECT id FROM sessions LIMIT 20)")
    return full


@contextmanager
def holding_all_users(alias: str) -> Iterator[Connection]:
    with session(alias) as other, other.cursor() as cursor:
        other.autocommit = False
        cursor.execute("SELECT FROM privileged_users FOR UPDATE")
        yield other


def new_user(alias: str) -> PrivilegedUser:
    user = build(PrivilegedUser)
    user.save(using=alias)
    return user


def migrated_whole(alias: str) -> bool:
    call_command("migrate", "pam", CONVERTED, database=alias, verbosity=0)
    return bool(partitions(alias, "sessions")) and left_over(alias) == []


@pytest.mark.usefixtures("brief")
def test_who_holds_a_row_that_is_referred_to_is_named(prepared):
    before = checksums(prepared, END)
    with holding_all_users(prepared) as other:
        with pytest.raises(LockUnavailable, match="No FOR KEY SHARE lock on public") as error:
            call_command("migrate", "pam", CONVERTED, database=prepared, verbosity=0)
        assert [holder.pid for holder in error.value.holders] == [other.info.backend_pid]
        assert partitions(prepared, "sessions") == {}
    assert migrated_whole(prepared)
    assert checksums(prepared, END) == before


def test_who_holds_such_a_row_and_changes_it_ends_nothing(prepared):
    """Read as of before the change, the row cannot be locked after it: SQLSTATE 40001 in the replay."""
    with holding_all_users(prepared) as other, actor(lambda: migrated_whole(prepared)) as migrating:
        until(lambda: is_waited_for(prepared, other), "the replay waits for a user")
        with other.cursor() as cursor:
            cursor.execute("UPDATE privileged_users SET display_name = 'changed'")
        other.commit()
        assert migrating.result()


def test_a_deadlock_with_the_replay_never_ends_a_client(prepared):
    """The replay holds the first user and waits for the second; the client has the second and comes for the first."""
    users = [new_user(prepared) for _ in range(2)]
    for user in users:
        with connections[prepared].cursor() as cursor:
            cursor.execute(
                "UPDATE sessions SET user_id = %s"
                " WHERE id = (SELECT min(id::text)::uuid FROM sessions WHERE user_id <> ALL (%s))",
                [user.pk, [one.pk for one in users]],
            )
    with session(prepared) as other, other.cursor() as cursor:
        other.autocommit = False
        cursor.execute("SELECT FROM privileged_users WHERE id = %s FOR UPDATE", [users[1].pk])
        with actor(lambda: migrated_whole(prepared)) as migrating:
            until(lambda: is_waited_for(prepared, other), "the replay waits for a user")
            cursor.execute("SELECT FROM privileged_users WHERE id = %s FOR UPDATE", [users[0].pk])
            other.commit()
            assert migrating.result()


def test_a_table_rewritten_while_it_is_copied(full, monkeypatch, settings):
    """Its rows lie elsewhere then: some are copied twice. The live table has no row twice, so none is blamed."""
    monkeypatch.setattr(capture, "CHUNK_BLOCKS", 1)
    settings.PAM_COPY_WORKERS = 1
    before, copied = checksums(full, END), rows.copy
    chunks: list[Any] = []

    def then_rewritten(connection: Any, move: Any, dress: Any, chunk: Any) -> Any:
        count = copied(connection, move, dress, chunk)
        chunks.extend([chunk] if move.source.name == "sessions" else [])
        if len(chunks) == 4:
            with session(full) as other, other.cursor() as cursor:
                cursor.execute("CLUSTER sessions USING uq_sessions_session_token_hash")
                cursor.execute("ALTER TABLE sessions SET WITHOUT CLUSTER")
            chunks.append(None)
        return count

    monkeypatch.setattr(rows, "copy", then_rewritten)
    assert migrated_whole(full)
    assert None in chunks
    assert checksums(full, END) == before


@pytest.mark.parametrize("name", MINE.values(), ids=MINE)
def test_what_is_not_ours_stays_whatever_its_name(full, name):
    with connections[full].cursor() as cursor:
        cursor.execute(f"CREATE TABLE {name} AS SELECT 1 AS mine")
        with pytest.raises(ObstaclesFound, match=f'The name "{name}" is taken'):
            call_command("migrate", "pam", CONVERTED, database=full, verbosity=0)
        call_command("pam_partitions", "abandon", database=full, stdout=io.StringIO())
        cursor.execute(f"SELECT mine FROM {name}")
        assert cursor.fetchall() == [(1,)]


@pytest.mark.once
@pytest.mark.usefixtures("brief")
def test_a_prepared_transaction_is_in_the_way_of_what_it_has_locked_alone(django_db_blocker):
    """It may stay for ever, so that nothing begins while one is there; the swap is stopped by what it holds."""
    with django_db_blocker.unblock(), server_under_alias({"max_prepared_transactions": "2"}):
        call_command("migrate", "pam", BEGIN, database=ALIAS, verbosity=0)
        Client(ALIAS, "seed").step(0)
        with session(ALIAS) as other, other.cursor() as cursor:
            cursor.execute("BEGIN; CREATE TABLE theirs (); PREPARE TRANSACTION 'theirs'")
            with pytest.raises(ObstaclesFound, match=r"'theirs' of .* could hold its locks for ever"):
                call_command("migrate", "pam", CONVERTED, database=ALIAS, verbosity=0)
            cursor.execute("ROLLBACK PREPARED 'theirs'")
            call_command("pam_partitions", "prepare", database=ALIAS, stdout=io.StringIO())
            cursor.execute("BEGIN; UPDATE sessions SET request_count = 8; PREPARE TRANSACTION 'theirs'")
            with pytest.raises(LockUnavailable, match="ROLLBACK PREPARED 'theirs'"):
                call_command("migrate", "pam", CONVERTED, database=ALIAS, verbosity=0)
            assert partitions(ALIAS, "sessions") == {}
            cursor.execute("COMMIT PREPARED 'theirs'")
            cursor.execute("BEGIN; CREATE TABLE theirs (); PREPARE TRANSACTION 'theirs'")
            call_command("migrate", "pam", CONVERTED, database=ALIAS, verbosity=0)
            cursor.execute("ROLLBACK PREPARED 'theirs'")
            cursor.execute("SELECT DISTINCT request_count FROM sessions")
            assert cursor.fetchall() == [(8,)]
        assert partitions(ALIAS, "sessions")
        assert left_over(ALIAS) == []


def test_all_tables_are_published_while_they_are_copied(full, monkeypatch):
    """Then nothing may be changed in what has no key yet."""
    copied = replay.replay_unindexed

    def then_published(connection: Any, move: Any, dress: Any) -> None:
        with session(full) as other, other.cursor() as cursor:
            cursor.execute("CREATE PUBLICATION theirs FOR ALL TABLES")
        copied(connection, move, dress)

    with monkeypatch.context() as publishing:
        publishing.setattr(replay, "replay_unindexed", then_published)
        with pytest.raises(ObstaclesFound, match="The publication theirs replicates it"):
            call_command("migrate", "pam", CONVERTED, database=full, verbosity=0)
    with connections[full].cursor() as cursor:
        cursor.execute("DROP PUBLICATION theirs")
    assert migrated_whole(full)


def test_status_while_the_records_go(prepared):
    with session(prepared) as ending, ending.cursor() as cursor:
        ending.autocommit = False
        cursor.execute("DROP TABLE sessions_menshun_keys, sessions_menshun_chunks, sessions_menshun_record")
        out = io.StringIO()
        with actor(lambda: call_command("pam_partitions", "status", database=prepared, stdout=out)):
            until(lambda: is_waited_for(prepared, ending), "status waits for the records")
            ending.commit()
    assert "sessions" in out.getvalue()


@pytest.mark.usefixtures("brief")
@pytest.mark.parametrize("what", ["abandon", "prepare"])
def test_who_reads_what_nobody_uses_is_named(full, monkeypatch, what):
    """A dump, say, which began while there were months in the making."""
    monkeypatch.setattr(locks, "CALM", Patience(lock_timeout_ms=50, attempts=3, first_pause=0.05, longest_pause=0.05))
    copied = replay.replay_unindexed
    with session(full) as dump, dump.cursor() as reading:
        dump.autocommit = False

        def read_a_month() -> None:
            reading.execute("SELECT count(*) FROM sessions_2026_08")

        def then_read(connection: Any, move: Any, dress: Any) -> None:
            copied(connection, move, dress)
            if move.source.name == "sessions":
                read_a_month()

        def run(action: str) -> None:
            call_command("pam_partitions", action, database=full, stdout=io.StringIO())

        if what == "prepare":
            monkeypatch.setattr(replay, "replay_unindexed", then_read)
        else:
            run("prepare")
            read_a_month()
        with pytest.raises(LockUnavailable, match=r"sessions_2026_08.* in 3 tries") as error:
            run(what)
        assert [holder.pid for holder in error.value.holders] == [dump.info.backend_pid]
    run(what)
    assert (left_over(full) == []) == (what == "abandon")
    assert migrated_whole(full)


def test_a_killed_run_leaves_its_last_statement_to_the_server(full, monkeypatch):
    """Which ends it while the next run comes to the same step."""
    copied = replay.replay_unindexed

    def then_killed(connection: Any, move: Any, dress: Any) -> None:
        copied(connection, move, dress)
        if move.source.name == "sessions":
            raise KeyboardInterrupt

    with monkeypatch.context() as killing:
        killing.setattr(replay, "replay_unindexed", then_killed)
        with pytest.raises(MoveStopped):
            call_command("migrate", "pam", CONVERTED, database=full, verbosity=0)
    with session(full) as orphan, orphan.cursor() as cursor:
        orphan.autocommit = False
        cursor.execute("ALTER TABLE sessions_2026_08 ADD CONSTRAINT sessions_pkey_2026_08 PRIMARY KEY (id, created_at)")
        with actor(lambda: migrated_whole(full)) as migrating:
            until(lambda: is_waited_for(full, orphan), "the next run waits for the month")
            orphan.commit()
            assert migrating.result()
