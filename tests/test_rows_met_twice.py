"""A row that moves to another block while the copy goes on: the copy meets it twice, and keeps it once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections
from django.db.backends.signals import connection_created

from pam.postgres.online_copy import capture
from tests.support.clients import Client
from tests.support.databases import session
from tests.support.months import BEGIN, CONVERTED, add_sessions, left_over, partitions

# The second block is full, so that a new version goes to the last one: one row stays what it is, and one does not.
MOVE = """
UPDATE {table} SET request_count = request_count + {more} WHERE ctid = '(1,{line})'
RETURNING (ctid::text::point)[0]
"""
ROWS = "SELECT count(*), count(DISTINCT id), sum(hashtextextended(s::text, 0)::numeric) FROM sessions s"


@pytest.fixture
def full(phase2: str, settings: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """Sessions of eight months, several blocks each; a chunk is one block, and one worker takes them in order."""
    monkeypatch.setattr(capture, "CHUNK_BLOCKS", 1)
    settings.PAM_COPY_WORKERS = 1
    Client(phase2, "seed").step(0)
    add_sessions(phase2, 2000)
    return phase2


class Mover:
    """Moves two rows of the second block after it is copied, and before the next one is; knows what must be there."""

    def __init__(self, alias: str, table: str) -> None:
        self.alias, self.table = alias, table
        self.copies = 0
        self.blocks: list[float] = []
        self.expected: tuple[Any, ...] = ()

    def __call__(self, execute: Any, statement: Any, params: Any, many: bool, context: Any) -> Any:
        text = statement if isinstance(statement, str) else statement.as_string(context["connection"].connection)
        if text.startswith("INSERT") and "ctid >=" in text and "sessions" in text:
            self.copies += 1
            if self.copies == 3:
                self.move()
        return execute(statement, params, many, context)

    def move(self) -> None:
        with session(self.alias) as other, other.cursor() as cursor:
            for line, more in ((1, 0), (2, 1)):
                cursor.execute(MOVE.format(table=self.table, line=line, more=more))
                self.blocks += [block for (block,) in cursor.fetchall()]
            cursor.execute(ROWS)
            (self.expected,) = cursor.fetchall()


@contextmanager
def on_new_connections(mover: Mover) -> Iterator[None]:
    def add(connection: Any, **_: Any) -> None:
        connection.execute_wrappers.append(mover)

    connection_created.connect(add)
    try:
        yield
    finally:
        connection_created.disconnect(add)


def migrate_while_rows_move(alias: str, table: str, target: str) -> None:
    mover = Mover(alias, table)
    with on_new_connections(mover):
        call_command("migrate", "pam", target, database=alias, verbosity=0)
    assert len(mover.blocks) == 2
    assert min(mover.blocks) > 1, "the new versions are in blocks that are copied later"
    with connections[alias].cursor() as cursor:
        cursor.execute(ROWS)
        assert cursor.fetchone() == mover.expected
    assert left_over(alias) == []


def test_there_and_back(full):
    migrate_while_rows_move(full, "sessions", CONVERTED)
    first = min(partitions(full, "sessions"))
    with session(full) as other, other.cursor() as cursor:
        cursor.execute(f"VACUUM FULL {first}")
    migrate_while_rows_move(full, first, BEGIN)
