"""The plan of a move for a table as it is now, to be read: nothing is run, nothing is changed."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from django.db.backends.base.base import BaseDatabaseWrapper

from pam.postgres import catalog
from pam.postgres.catalog import Relation
from pam.postgres.online_copy import build, steps
from pam.postgres.online_copy.dress import read_dress
from pam.postgres.online_copy.move import OLD, Layout, Move, suffixed
from pam.postgres.online_copy.step import AS_THE_SERVER_LIKES, Step


def planned(connection: BaseDatabaseWrapper, move: Move, now: datetime) -> list[Step]:
    """All steps of a move, as if it began now. Lock: ACCESS SHARE on the table, read once for its oldest row."""
    dress, span = read_dress(connection, move.source), build.span_of(connection, move, now)
    old = Relation(move.source.oid, move.source.schema, suffixed(move.source.name, OLD), move.source.kind)
    months = catalog.partitions(connection, move.source)
    return [
        *steps.beginning(connection, move, dress, span),
        *steps.making(connection, move, dress, span),
        *steps.swapping(connection, move, dress),
        *steps.ending(move, steps.dropping(old, months, dress.foreign_keys), dress.referenced),
    ]


def statements(
    connection: BaseDatabaseWrapper, layout: Layout, to_months: bool, now: datetime
) -> Iterator[tuple[str, list[str]]]:
    """Each statement as text with the comments above it, as `sqlmigrate` prints them."""
    connection.ensure_connection()
    source = catalog.relation(connection, layout.table)
    if source is None:
        yield (
            "SELECT 1",
            [f"{layout.table} is not there yet. The statements depend on what it wears: ask again when it is."],
        )
        return
    move = Move(source, layout, to_months)
    if source.is_partitioned == to_months:
        yield "SELECT 1", [f"{layout.table} is what it shall be already; nothing is done."]
        return
    for number, (step, setting) in enumerate(with_settings(planned(connection, move, now)), 1):
        done = one_line(step.done.as_string(connection.connection))
        comments = [f"{number}. {step.name}", f"Done when: {done}", step.told()]
        for change in setting:
            yield change, comments
            comments = [step.told()]
        for statement in step.script():
            yield statement.as_string(connection.connection), comments
            comments = [step.told()]


def with_settings(ordered: Iterable[Step]) -> Iterator[tuple[Step, tuple[str, ...]]]:
    """Each step, and what it changes in the settings of its session against the step before, if anything."""
    helpers = AS_THE_SERVER_LIKES
    for step in ordered:
        yield step, () if step.helpers_set == helpers else (step.helpers_set,)
        helpers = step.helpers_set


def one_line(query: str) -> str:
    """A query as a comment holds it."""
    return " ".join(query.split())
