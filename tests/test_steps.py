"""The plan of a move: each step takes the locks it names, shows that it is done, and is what is printed."""

import io
import os
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections
from django.db.backends.signals import connection_created
from pytest_django import DjangoDbBlocker

from menshun.embedded import programs
from pam.partitions.tables import tables
from pam.postgres import catalog
from pam.postgres.online_copy import script
from pam.postgres.online_copy.dress import read_dress
from pam.postgres.online_copy.move import Move
from pam.postgres.online_copy.step import Step
from tests.support.bulk import add_audit_rows
from tests.support.clients import Client, checksums
from tests.support.databases import throwaway_database
from tests.support.held_locks import MODES
from tests.support.months import add_sessions, left_over
from tests.support.schema import described

BEFORE = "2026-08-01"
NOW = datetime(2026, 8, 17, 13, 37, 11, tzinfo=UTC)
HELD = """
SELECT relation, mode FROM pg_locks
WHERE pid = pg_backend_pid() AND relation = ANY (%s) AND granted
"""


@pytest.fixture
def filled(phase2: str) -> str:
    """Plain tables with rows of eight months."""
    Client(phase2, "seed").step(0)
    add_audit_rows(phase2, 900)
    add_sessions(phase2, 300)
    return phase2


class Watch:
    """What each transaction holds on some tables, looked at after each of its statements, on all connections."""

    def __init__(self, tables: dict[int, str]) -> None:
        self.tables = tables
        self.held: dict[str, set[str]] = defaultdict(set)

    def __call__(self, execute: Any, statement: Any, params: Any, many: bool, context: Any) -> Any:
        result = execute(statement, params, many, context)
        connection = context["connection"]
        text = statement if isinstance(statement, str) else statement.as_string(connection.connection)
        # A transaction may be told only before its first query which snapshot to use.
        if connection.in_atomic_block and not text.startswith("SET"):
            with connection.connection.cursor() as cursor:
                cursor.execute(HELD, [list(self.tables)])
                for table, mode in cursor.fetchall():
                    self.held[self.tables[table]].add(mode)
        return result

    def strongest(self) -> dict[str, str]:
        return {table: max(modes, key=MODES.index) for table, modes in self.held.items()}


def named(step: Step) -> dict[str, str]:
    """The locks of a step as the server spells them; without the log of keys, which is looked at where it matters."""
    tables = {lock.table.identifier.strings[1]: lock.mode for lock in step.locks}
    return {name: mode.title().replace(" ", "") + "Lock" for name, mode in tables.items() if "menshun" not in name}


def strong(locks: dict[str, str]) -> dict[str, str]:
    return {table: mode for table, mode in locks.items() if MODES.index(mode) > 2}


def in_use(alias: str, move: Move) -> dict[int, str]:
    """The tables that clients use: the live one with its partitions, and those it references."""
    connection = connections[alias]
    keys = read_dress(connection, move.source).foreign_keys
    live = [move.source, *catalog.partitions(connection, move.source)]
    return {table.oid: table.name for table in [*live, *(key.references for key in keys)]}


def walk(alias: str, table_number: int, planned: list[Step]) -> Iterator[tuple[Step, dict[str, str]]]:
    """Run each step; yields it with the strongest lock it held on each table in use."""
    connection = connections[alias]
    for number, step in enumerate(planned):
        if step.grows == "rows":
            Client(alias, f"client-{len(planned)}-{number}").step(1)
        watch = Watch(in_use(alias, tables(alias)[table_number].move))

        def watched(connection: Any, watch: Watch = watch, **_: Any) -> None:
            connection.execute_wrappers.append(watch)

        connection_created.connect(watched)
        try:
            with connection.execute_wrapper(watch):
                step.run(connection)
        finally:
            connection_created.disconnect(watched)
        yield step, watch.strongest()


@pytest.mark.parametrize("table_number", [0, 1], ids=["audit_logs", "sessions"])
def test_each_step_takes_the_locks_it_names_and_shows_that_it_is_done(filled, table_number):
    """There and back: every step of the printed list is run by itself, in order."""
    connection = connections[filled]
    before, rows = described(filled), checksums(filled, BEFORE)
    for to_months in (True, False):
        table = tables(filled)[table_number]
        move = Move(table.move.source, table.layout, to_months)
        planned = script.planned(connection, move, NOW)
        assert len(planned) > 15
        begun = planned[0]
        assert not begun.is_done(connection)
        for step, held in walk(filled, table_number, planned):
            assert step.is_done(connection), step.name
            # A query may skip months that it needs not read; of the locks that others wait for none is left out.
            assert held.items() <= named(step).items(), step.name
            assert strong(held) == strong(named(step)), step.name
        assert left_over(filled) == []
        assert checksums(filled, BEFORE) == rows
    assert described(filled) == before


def test_no_step_is_done_before_it_ran(filled):
    """Each step's query says no until that step has run; a reader's steps may have nothing to do."""
    connection = connections[filled]
    with connection.cursor() as cursor:
        # Or an autovacuum would gather statistics just before the step that does.
        cursor.execute("ALTER TABLE sessions SET (autovacuum_enabled = off)")
    early = []
    for to_months in (True, False):
        table = tables(filled)[1]
        for step in script.planned(connection, Move(table.move.source, table.layout, to_months), NOW):
            changes = step.statements[0].as_string(connection.connection).startswith(("CREATE", "ALTER", "ANALYZE"))
            if changes and step.is_done(connection):
                early.append(step.name)
            step.run(connection)
    assert early == []


def test_steps_that_grow_with_rows_take_no_lock_that_anybody_waits_for(filled):
    for to_months in (True, False):
        table = tables(filled)[1]
        for step in script.planned(connections[filled], Move(table.move.source, table.layout, to_months), NOW):
            assert not (step.grows == "rows" and step.strong_locks), step.name


@pytest.mark.parametrize("road", ["there", "back"])
def test_what_is_printed_gives_the_same_schema_by_hand(
    filled: str, phase2_template: str, django_db_blocker: DjangoDbBlocker, road: str
):
    """A DBA runs what `sqlmigrate` prints with psql on an idle copy."""
    names = [
        "0011_phase3_audit_logs_by_month",
        "0012_phase3_sessions_by_month",
        "0013_phase3_extended_statistics",
        "0014_phase3_reporting_views",
        "0015_phase3_report_indexes",
        "0024_report_search_index",
    ]
    if road == "back":
        call_command("migrate", "pam", database=filled, verbosity=0)
    connections[filled].close()
    template = str(connections.databases[filled]["NAME"])
    with throwaway_database("by_hand", template) as by_hand:
        for name in names if road == "there" else reversed(names):
            out = io.StringIO()
            call_command("sqlmigrate", "pam", name, database=by_hand, backwards=road == "back", stdout=out)
            psql(by_hand, out.getvalue())
        call_command("migrate", "pam", *(["0010_phase3_begin"] if road == "back" else []), database=filled, verbosity=0)
        assert described(by_hand) == described(filled)
        assert checksums(by_hand, "2027-01-01") == checksums(filled, "2027-01-01")
        assert left_over(by_hand) == []


def psql(alias: str, text: str) -> None:
    settings = connections.databases[alias]
    where = ["-h", str(settings["HOST"]), "-p", str(settings["PORT"] or 5432), "-U", str(settings["USER"])]
    done = subprocess.run(
        [str(bindir() / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", *where, str(settings["NAME"])],
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def bindir() -> Path:
    return Path(os.environ.get("PG_BINDIR") or programs.wheel_bindir())
