"""The steps that make the months, fill them with all they need, and give them to the new table."""

from collections.abc import Iterator

from psycopg2 import sql

from pam.postgres.catalog import PLAIN, Relation
from pam.postgres.months import Month, months
from pam.postgres.online_copy import build, facts, referenced
from pam.postgres.online_copy import dress as wardrobe
from pam.postgres.online_copy.dress import Dress, ForeignKey
from pam.postgres.online_copy.move import Move, Span, suffixed
from pam.postgres.online_copy.step import Lock, Step
from pam.postgres.partitioned_index import partition_index_name


def new_months(move: Move, dress: Dress, span: Span) -> list[Step]:
    """The stage, the foreign keys while the new table is empty, and the empty months."""
    return [
        Step(
            "make the stage",
            (build.stage_table(move),),
            facts.exists(move.stage),
            locks=(Lock(move.source, "ACCESS SHARE"),),
        ),
        # While it is empty: a month that has the key already is adopted later without a look at its rows.
        *(
            Step(
                f"give the new table the foreign key {key.name}",
                (
                    build.foreign_key(key, move.target, validated=True),
                    *wardrobe.comment_on("CONSTRAINT", key.name, move.target, key.comment),
                ),
                facts.has_constraint(move.target, key.name),
                locks=(Lock(key.references, "SHARE ROW EXCLUSIVE"),),
                own=(move.target,),
            )
            for key in dress.foreign_keys
        ),
        *(
            Step(
                f"make {month}",
                tuple(build.new_partition(move, dress, suffix, bound)),
                facts.exists(month.identifier),
                own=(move.stage,),
            )
            for suffix, month, bound, _ in _partitions(move, span)
        ),
    ]


def month_steps(move: Move, dress: Dress, span: Span, *, analyze: bool) -> list[Step]:
    """Each month's indexes, guards, foreign keys and vacuum, side by side; then one after the other is attached.

    `analyze`: and its statistics.
    """
    parts = list(_partitions(move, span))
    return [
        *(step for _, relation, _, month in parts for step in _finish_month(move, dress, relation, month, analyze)),
        *(_attach(move, dress, relation, bound, month) for _, relation, bound, month in parts),
    ]


def _partitions(move: Move, span: Span) -> Iterator[tuple[str, Relation, sql.Composable, Month | None]]:
    """Suffix, table, bound and month of each partition. The default one is last: once it is attached, the server
    compares each other one with its rows."""
    for month in months(span.first, span.last):
        yield month.suffix, _relation(move, month.suffix), build.bounds(month), month
    yield build.DEFAULT_SUFFIX, _relation(move, build.DEFAULT_SUFFIX), build.DEFAULT, None


def partitions(move: Move, span: Span) -> list[Relation]:
    """The partitions as they will be, the default one last."""
    return [relation for _, relation, _, _ in _partitions(move, span)]


def _relation(move: Move, suffix: str) -> Relation:
    """The partition as it will be; no look-up by its oid is made before it exists."""
    return Relation(0, move.source.schema, suffixed(move.source.name, suffix), PLAIN)


def _finish_month(move: Move, dress: Dress, table: Relation, month: Month | None, analyze: bool) -> Iterator[Step]:
    lane = table.name
    for key in dress.keys:
        name = partition_index_name(key.name, move.source, table)
        yield Step(
            f"build {name}",
            (wardrobe.create_key(move, key, table.identifier, name),),
            facts.exists(sql.Identifier(table.schema, name)),
            own=(table.identifier,),
            lane=lane,
            # Other months have the other processors.
            helpers=0,
        )
    for trigger in dress.triggers:
        # Row triggers come with the attachment; those for a statement do not, and a month could be emptied directly.
        if not trigger.for_each_row:
            yield Step(
                f"guard {table} by {trigger.name}",
                tuple(wardrobe.create_trigger(trigger, table.identifier)),
                facts.has_trigger(table.identifier, trigger.name),
                own=(table.identifier,),
                lane=lane,
            )
    # Before the foreign key, by which clients who delete what it refers to come to the month.
    if month:
        yield Step(
            f"prove the bound of {table}",
            (build.prove_bound(move, month, table.identifier),),
            sql.SQL("SELECT ({}) OR ({})").format(
                facts.has_constraint(table.identifier, build.BOUND),
                facts.is_partition_of(move.target, table.identifier),
            ),
            own=(table.identifier,),
            lane=lane,
        )
    for foreign_key in dress.foreign_keys:
        yield from foreign_key_steps(move, foreign_key, table.identifier, lane)
    # Lock: SHARE UPDATE EXCLUSIVE on the month. Its visibility map is there before the swap.
    vacuumed, analyzed = facts.is_vacuumed(table.identifier), facts.is_analyzed(table.identifier)
    yield Step(
        f"vacuum {table}",
        (sql.SQL("VACUUM {}{}").format(sql.SQL("(ANALYZE) " if analyze else ""), table.identifier),),
        sql.SQL("SELECT ({}) AND ({})").format(vacuumed, analyzed) if analyze else vacuumed,
        lane=lane,
        in_transaction=False,
    )


def foreign_key_steps(
    move: Move, key: ForeignKey, table: sql.Identifier, lane: str, comment: str | None = None
) -> Iterator[Step]:
    """Add it unchecked under a short lock, then read the rows under one that hinders nobody."""
    yield Step(
        f"add {key.name} to {facts.text_of(table)}",
        (
            build.foreign_key(key, table, validated=False),
            *wardrobe.comment_on("CONSTRAINT", key.name, table, comment),
        ),
        facts.has_constraint(table, key.name),
        locks=(Lock(key.references, "SHARE ROW EXCLUSIVE"),),
        own=(table,),
        lane=lane,
    )
    yield Step(
        f"validate {key.name} of {facts.text_of(table)}",
        (build.validate(key, table),),
        facts.has_constraint(table, key.name, validated=True),
        locks=(Lock(key.references, "ROW SHARE"),),
        grows="rows",
        lane=lane,
        action=lambda own: referenced.validate(own, move, key, table),
    )


def _attach(move: Move, dress: Dress, table: Relation, bound: sql.Composable, month: Month | None) -> Step:
    # To take a month from beside a default partition is to lock that too.
    default = build.partition(move, build.DEFAULT_SUFFIX)
    return Step(
        f"attach {table}",
        tuple(build.attach(move, table.identifier, bound, proved=month is not None)),
        facts.is_partition_of(move.target, table.identifier),
        # A month that has the foreign key is adopted: the server drops its triggers on the referenced table.
        locks=tuple(Lock(table, "ACCESS EXCLUSIVE") for table in dress.referenced),
        own=(move.target, move.stage, table.identifier, *([] if month is None else [default])),
    )
