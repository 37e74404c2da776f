"""Clients who delete a user for good with all his sessions, at each moment of the conversion: none is refused."""

import io
import re
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections
from psycopg2 import errors
from psycopg2.extensions import connection as Connection

from pam.models import PrivilegedUser
from pam.postgres import locks
from pam.postgres.errors import LockUnavailable
from pam.postgres.locks import Patience
from pam.postgres.online_copy import engine, referenced, replay, steps
from pam.postgres.online_copy.move import Layout, Move
from tests.support.clients import Client, checksums
from tests.support.databases import session
from tests.support.months import BEGIN, CONVERTED, add_sessions, left_over, partitions
from tests.support.rows import build
from tests.support.threads import actor, until

END = "2027-01-01"
# Of four months.
DAYS = (110, "2026-07-05 13:37:11+00")
# When somebody strikes: the module and the function of it behind which, or before which, it is.
MOMENTS = {
    "copied, no foreign key yet": (replay, "replay_unindexed", False),
    "one month has it": (referenced, "validate", True),
    "all have it": (steps, "swapping", True),
    "swapped, the old table has it": (steps, "ending", True),
}
BOTH_WAYS = pytest.mark.parametrize("back", [False, True], ids=["there", "back"])


@pytest.fixture
def full(phase2: str) -> str:
    Client(phase2, "seed").step(0)
    add_sessions(phase2, 300, *DAYS)
    return phase2


def user_with_sessions(alias: str, count: int) -> PrivilegedUser:
    """A new user who has so many of the seeded sessions, of all months."""
    user = build(PrivilegedUser)
    user.save(using=alias)
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "UPDATE sessions SET user_id = %s WHERE id IN (SELECT id FROM sessions WHERE user_id ="
            " (SELECT user_id FROM sessions GROUP BY 1 ORDER BY count(*) DESC LIMIT 1)"
            " ORDER BY md5(id::text) LIMIT %s)",
            [user.pk, count],
        )
        assert cursor.rowcount == count
    return user


def erase(other: Connection, user: PrivilegedUser, *, himself_first: bool) -> None:
    """All of him in one transaction; his foreign key is looked at when it ends."""
    statements = ["DELETE FROM sessions WHERE user_id = %s", "DELETE FROM privileged_users WHERE id = %s"]
    with other, other.cursor() as cursor:
        for statement in reversed(statements) if himself_first else statements:
            cursor.execute(statement, [user.pk])


def put_back(other: Connection, user: PrivilegedUser) -> None:
    """Deleted and inserted again in one transaction, his sessions stay."""
    with other, other.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE kept AS SELECT * FROM privileged_users WHERE id = %s", [user.pk])
        cursor.execute("DELETE FROM privileged_users WHERE id = %s", [user.pk])
        cursor.execute("INSERT INTO privileged_users SELECT * FROM kept")


def migrate(alias: str, *, back: bool) -> None:
    call_command("migrate", "pam", BEGIN if back else CONVERTED, database=alias, verbosity=0)


def strike_at(
    monkeypatch: pytest.MonkeyPatch, moment: str, alias: str, *, to_months: bool, strike: Callable[[Connection], None]
) -> None:
    """Once, when the conversion of sessions comes there."""
    module, name, is_before = MOMENTS[moment]
    does, struck = getattr(module, name), list[bool]()

    def with_strike(*args: Any, **options: Any) -> Any:
        move = next(one for one in args if isinstance(one, Move))
        is_it = move.source.name == "sessions" and move.to_months == to_months and not struck
        result = None if is_before and is_it else does(*args, **options)
        if is_it:
            struck.append(True)
            with session(alias) as other:
                other.autocommit = False
                strike(other)
        return does(*args, **options) if is_before and is_it else result

    monkeypatch.setattr(module, name, with_strike)


@BOTH_WAYS
def test_who_deletes_a_user_with_his_sessions_is_not_refused(full, monkeypatch, caplog, back):
    if back:
        migrate(full, back=False)
    gone, kept, at_rest = list[PrivilegedUser](), list[PrivilegedUser](), dict[str, Any]()

    def strikes(moment: str) -> None:
        erased, other_way, put, refused = (user_with_sessions(full, 7) for _ in range(4))
        gone.extend([erased, other_way])
        kept.extend([put, refused])

        def strike(other: Connection) -> None:
            erase(other, erased, himself_first=False)
            erase(other, other_way, himself_first=True)
            put_back(other, put)
            with pytest.raises(errors.ForeignKeyViolation) as error, other, other.cursor() as cursor:
                cursor.execute("DELETE FROM privileged_users WHERE id = %s", [refused.pk])
            # By the live table, or a month of it.
            assert re.fullmatch(r"sessions(_\d{4}_\d\d)?", str(error.value.diag.table_name))
            at_rest[moment] = checksums(full, END)

        strike_at(monkeypatch, moment, full, to_months=not back, strike=strike)

    for moment in MOMENTS:
        strikes(moment)
    migrate(full, back=back)
    assert [*at_rest] == [*MOMENTS]
    assert bool(partitions(full, "sessions")) != back
    assert checksums(full, END) == [*at_rest.values()][-1]
    assert count_of(full, kept) == 7 * 2 * len(MOMENTS)
    assert count_of(full, gone) == 0
    assert left_over(full) == []
    assert "begins anew" not in caplog.text


def count_of(alias: str, users: list[PrivilegedUser]) -> int:
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM sessions WHERE user_id = ANY (%s)", [[user.pk for user in users]])
        ((count,),) = cursor.fetchall()
    return int(count)


@BOTH_WAYS
def test_who_comes_in_the_middle_of_the_swap_takes_nothing_from_the_live_table(full, monkeypatch, back):
    """What was the copy when he came is the live table when he goes on."""
    if back:
        migrate(full, back=False)
    user, replayed = user_with_sessions(full, 7), replay.replay
    refused: list[errors.ForeignKeyViolation] = []

    def delete_him() -> None:
        with session(full) as other, other.cursor() as cursor, pytest.raises(errors.ForeignKeyViolation) as error:
            cursor.execute("DELETE FROM privileged_users WHERE id = %s", [user.pk])
        refused.append(error.value)

    with ExitStack() as running:

        def with_client(cursor: Any, move: Any, *rest: Any) -> int:
            if move.source.name == "sessions" and back != move.to_months:
                running.enter_context(actor(delete_him))
                until(lambda: waits_for(full, cursor.connection), "he waits for the swap")
            return replayed(cursor, move, *rest)

        monkeypatch.setattr("pam.postgres.online_copy.swap.replay", with_client)
        migrate(full, back=back)
    assert [str(error.diag.table_name).partition("_20")[0] for error in refused] == ["sessions"]
    assert count_of(full, [user]) == 7


def waits_for(alias: str, swapping: Connection) -> bool:
    with session(alias) as third, third.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity a WHERE %s = ANY (pg_blocking_pids(a.pid))",
            [swapping.info.backend_pid],
        )
        ((count,),) = cursor.fetchall()
    return bool(count)


@pytest.mark.usefixtures("brief")
def test_who_has_not_ended_yet_is_named(full):
    """His user has no session, so that only the log of keys tells of him."""
    user = build(PrivilegedUser)
    user.save(using=full)
    call_command("pam_partitions", "prepare", database=full, stdout=io.StringIO())
    with session(full) as other, other.cursor() as cursor:
        other.autocommit = False
        cursor.execute("DELETE FROM privileged_users WHERE id = %s", [user.pk])
        with pytest.raises(LockUnavailable, match="No ACCESS EXCLUSIVE lock") as error:
            migrate(full, back=False)
        assert [holder.pid for holder in error.value.holders] == [other.info.backend_pid]
        assert partitions(full, "sessions") == {}
        other.commit()
    migrate(full, back=False)
    assert partitions(full, "sessions")


@pytest.mark.usefixtures("brief")
def test_who_reads_the_log_of_keys_alone_is_named(full):
    call_command("pam_partitions", "prepare", database=full, stdout=io.StringIO())
    with session(full) as other, other.cursor() as cursor:
        other.autocommit = False
        cursor.execute("SELECT count(*) FROM sessions_menshun_keys")
        with pytest.raises(LockUnavailable, match="sessions_menshun_keys in 3 tries") as error:
            migrate(full, back=False)
        assert [holder.pid for holder in error.value.holders] == [other.info.backend_pid]
    migrate(full, back=False)
    assert partitions(full, "sessions")


@pytest.mark.usefixtures("brief")
def test_who_has_a_month_while_it_is_validated_is_named(full, monkeypatch):
    """What a killed run left to the server, say."""
    monkeypatch.setattr(locks, "CALM", Patience(lock_timeout_ms=50, attempts=3, first_pause=0.05, longest_pause=0.05))
    with session(full) as other, other.cursor() as cursor:
        other.autocommit = False
        does = referenced.validate

        def with_other(connection: Any, move: Any, key: Any, table: Any) -> None:
            if table.strings[-1] == "sessions_2026_08":
                cursor.execute("LOCK TABLE sessions_2026_08 IN SHARE UPDATE EXCLUSIVE MODE")
            does(connection, move, key, table)

        monkeypatch.setattr(referenced, "validate", with_other)
        with pytest.raises(LockUnavailable, match="sessions_2026_08") as error:
            migrate(full, back=False)
        assert [holder.pid for holder in error.value.holders] == [other.info.backend_pid]
    monkeypatch.setattr(referenced, "validate", does)
    migrate(full, back=False)
    assert partitions(full, "sessions")


def test_who_saves_a_user_locks_him_no_more_than_before(full):
    """A sign-in of somebody else's refers to him meanwhile, and does not wait."""
    call_command("pam_partitions", "prepare", database=full, stdout=io.StringIO())
    user = user_with_sessions(full, 1)
    with session(full) as saving, session(full) as signing_in, saving.cursor() as save, signing_in.cursor() as refer:
        saving.autocommit = False
        save.execute("UPDATE privileged_users SET id = id, upn = upn WHERE id = %s", [user.pk])
        refer.execute("SET lock_timeout = 1; SELECT FROM privileged_users WHERE id = %s FOR KEY SHARE", [user.pk])


def test_abandoned_nothing_follows_any_more(full):
    call_command("pam_partitions", "prepare", database=full, stdout=io.StringIO())
    assert "public_sessions_menshun_referenced" in left_over(full)
    call_command("pam_partitions", "abandon", database=full, stdout=io.StringIO())
    assert left_over(full) == []


def test_a_foreign_key_dropped_meanwhile_leaves_nothing(full):
    call_command("pam_partitions", "prepare", database=full, stdout=io.StringIO())
    with connections[full].cursor() as cursor:
        cursor.execute("SELECT conname FROM pg_constraint WHERE conrelid = 'sessions'::regclass AND contype = 'f'")
        ((name,),) = cursor.fetchall()
        cursor.execute(f'ALTER TABLE sessions DROP CONSTRAINT "{name}"')
    migrate(full, back=False)
    assert partitions(full, "sessions")
    assert left_over(full) == []


def test_two_tables_of_one_name_in_two_schemas_follow_the_same_user(full):
    layout, now = (
        Layout("elsewhere.sessions", "created_at", ("id",), {}),
        datetime(2026, 11, 20, 13, 37, 11, tzinfo=UTC),
    )
    user, connection = user_with_sessions(full, 7), connections[full]
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.sessions (id uuid PRIMARY KEY,"
            " created_at timestamptz NOT NULL, user_id uuid NOT NULL REFERENCES privileged_users);"
            " INSERT INTO elsewhere.sessions SELECT id, created_at, user_id FROM sessions"
        )
        call_command("pam_partitions", "prepare", database=full, stdout=io.StringIO())
        engine.prepare(connection, layout, to_months=True, now=now)
        with session(full) as other:
            other.autocommit = False
            with other.cursor() as deleting:
                deleting.execute("DELETE FROM elsewhere.sessions WHERE user_id = %s", [user.pk])
                erase(other, user, himself_first=False)
        cursor.execute("SELECT id::text FROM sessions")
        left = set(cursor.fetchall())
        migrate(full, back=False)
        engine.convert(connection, layout, to_months=True, now=now)
        for table in ("public.sessions", "elsewhere.sessions"):
            cursor.execute(f"SELECT id::text FROM {table} WHERE tableoid <> '{table}'::regclass")
            assert set(cursor.fetchall()) == left
        cursor.execute(
            "SELECT tgname FROM pg_trigger WHERE tgrelid = 'privileged_users'::regclass AND NOT tgisinternal"
        )
        assert cursor.fetchall() == []
    assert left_over(full) == []
