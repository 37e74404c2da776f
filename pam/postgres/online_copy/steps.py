"""The plan of a move: a frozen list of steps. `migrate` runs it, `sqlmigrate` and `pam_plan` print it."""

from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql

from pam.postgres import catalog
from pam.postgres.catalog import Relation
from pam.postgres.online_copy import build, capture, copying, facts, referenced, replay, rows, swap, verify
from pam.postgres.online_copy import dress as wardrobe
from pam.postgres.online_copy.dress import Dress, Key
from pam.postgres.online_copy.month_steps import foreign_key_steps, month_steps, new_months
from pam.postgres.online_copy.move import TARGET, Move, Span, suffixed
from pam.postgres.online_copy.step import Lock, Step

ANALYZE_ONLY_SINCE = 18_00_00
# The access methods whose indexes several processes can build, and since which version.
PARALLEL_SINCE = {"btree": 0, "brin": 17_00_00, "gin": 18_00_00}


def beginning(connection: BaseDatabaseWrapper, move: Move, dress: Dress, span: Span) -> list[Step]:
    """From the first to the capture of changes."""
    live = _live(connection, move)
    return [
        Step(
            "make the working tables",
            tuple(capture.working_tables(connection, move, dress, span)),
            facts.exists(move.record),
        ),
        Step(
            "capture changes from here on, and list the blocks to copy",
            tuple(capture.begin_statements(connection, move, live[1:])),
            sql.SQL("SELECT fingerprint IS NOT NULL FROM {}").format(move.record),
            locks=tuple(Lock(table, "SHARE ROW EXCLUSIVE") for table in live),
            grows="months" if live[1:] else "",
        ),
    ]


def making(connection: BaseDatabaseWrapper, move: Move, dress: Dress, span: Span) -> list[Step]:
    """From an empty new table to one that equals the live one and has all it needs; only the swap is left then."""
    make = Step(
        "make the new table",
        tuple(build.target_table(move, dress)),
        facts.exists(move.target),
        locks=(Lock(move.source, "ACCESS SHARE"),),
    )
    # Until PostgreSQL 17, ANALYZE of the whole looks at each month again: there they are left to it.
    by_month = move.to_months and connection.connection.info.server_version >= ANALYZE_ONLY_SINCE
    finished = (
        month_steps(move, dress, span, analyze=by_month) if move.to_months else _finish_plain(connection, move, dress)
    )
    return [
        make,
        *referenced.follow_steps(connection, move, dress),
        *(new_months(move, dress, span) if move.to_months else []),
        _copy(connection, move, dress),
        _replay_unindexed(connection, move, dress),
        *finished,
        Step(
            "catch up with what was captured",
            tuple(replay.statements(move, dress)),
            facts.no_row(move.keys),
            locks=tuple(Lock(table, "ACCESS SHARE") for table in _live(connection, move)),
            grows="rows",
            action=lambda own: replay.catch_up(own, move, dress),
        ),
        Step(
            "verify count and checksum of every month",
            tuple(verify.statements(move)),
            sql.SQL("SELECT verified_at IS NOT NULL FROM {}").format(move.record),
            locks=tuple(Lock(table, "ACCESS SHARE") for table in _live(connection, move)),
            grows="rows",
            lane="verify",
            in_transaction=False,
            action=lambda own: _verify(own, move),
        ),
        Step(
            "gather statistics",
            (sql.SQL("ANALYZE {}{}").format(sql.SQL("ONLY " if by_month else ""), move.target),),
            facts.is_analyzed(move.target),
            lane="statistics",
            in_transaction=False,
        ),
    ]


def _verify(connection: BaseDatabaseWrapper, move: Move) -> None:
    swap.require_unchanged(connection, move)
    verify.verify(connection, move)


def swapping(connection: BaseDatabaseWrapper, move: Move, dress: Dress) -> list[Step]:
    """The one moment that others can feel."""
    return [
        Step(
            "swap the names",
            tuple(swap.renames(move, dress)),
            facts.is_partitioned(move.source.identifier, wanted=move.to_months),
            locks=tuple(Lock(table, "ACCESS EXCLUSIVE") for table in (*_live(connection, move), swap.log_of(move))),
            own=(move.target,),
            grows="" if move.to_months else "months",
            action=lambda own: swap.swap(own, move, dress),
        )
    ]


def ending(move: Move, dropped: list[Step], followed: list[Relation]) -> list[Step]:
    """After what is `dropped` whole: no trigger on a referenced table, no working table; the record goes last."""
    return [*dropped, *(referenced.leave_step(move, table) for table in followed), drop_working_tables(move)]


def dropping(table: Relation, months: list[Relation], keys: tuple[wardrobe.ForeignKey, ...]) -> list[Step]:
    """Drop a table that nobody uses, months first: one that is dropped attached takes no lock on a referenced table."""
    # By a foreign key, who deletes what it refers to comes to the table, and waits for who wants it for himself.
    used = (Lock(table, "ACCESS EXCLUSIVE"),) if keys else ()
    return [
        *(_drop_step(month, used) for month in months),
        *(
            Step(
                f"take the foreign key {key.name} off {table}",
                (sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(table.identifier, sql.Identifier(key.name)),),
                sql.SQL("SELECT NOT ({})").format(facts.has_constraint(table.identifier, key.name)),
                locks=(Lock(key.references, "ACCESS EXCLUSIVE"),),
                own=(table.identifier,),
            )
            for key in keys
        ),
        _drop_step(table),
    ]


def _drop_step(table: Relation, used: tuple[Lock, ...] = ()) -> Step:
    name = table.identifier
    return Step(f"drop {table}", (_drop(name),), facts.is_gone(name), locks=used, own=(name,))


def drop_working_tables(move: Move) -> Step:
    """The record goes last, with all else: while it is there, a run knows that something is left."""
    tables = ((move.stage,) if move.to_months else ()) + (move.keys, move.chunks)
    functions = (
        sql.SQL("DROP FUNCTION IF EXISTS {}()").format(name) for name in (move.function, move.referenced_function)
    )
    return Step(
        "drop the working tables",
        (*map(_drop, tables), *functions, _drop(move.record)),
        facts.is_gone(move.record),
        own=(*tables, move.record),
    )


def _drop(name: sql.Identifier) -> sql.Composed:
    return sql.SQL("DROP TABLE IF EXISTS {}").format(name)


def _live(connection: BaseDatabaseWrapper, move: Move) -> list[Relation]:
    """The live table and its partitions: locks go to each."""
    return [move.source, *catalog.partitions(connection, move.source)]


def _copy(connection: BaseDatabaseWrapper, move: Move, dress: Dress) -> Step:
    live = _live(connection, move)
    return Step(
        "copy all rows, chunk by chunk, by several workers",
        tuple(rows.copy_statement(move, dress, table.identifier, sql.SQL("")) for table in (live[1:] or live)),
        facts.no_row(move.chunks, "rows IS NULL"),
        locks=tuple(Lock(table, "ACCESS SHARE") for table in live),
        grows="rows",
        in_transaction=False,
        action=lambda own: copying.copy_all(own, move, dress),
    )


def _replay_unindexed(connection: BaseDatabaseWrapper, move: Move, dress: Dress) -> Step:
    return Step(
        "bring the copy to one moment, so that unique indexes can be built",
        tuple(replay.unindexed_statements(move, dress)),
        sql.SQL("SELECT settled_at IS NOT NULL FROM {}").format(move.record),
        locks=tuple(Lock(table, "ACCESS SHARE") for table in _live(connection, move)),
        grows="rows",
        action=lambda own: replay.replay_unindexed(own, move, dress),
    )


def _finish_plain(connection: BaseDatabaseWrapper, move: Move, dress: Dress) -> list[Step]:
    """Indexes, the largest first, so that none is alone at the end; then the rest of the dress.

    Where the server builds the largest one by as many processes as there are workers, it is built first by all of them:
    one that takes as long as all others together (the trigram index of `audit_logs` does) would leave the other workers
    nothing to do, and with helpers beside other builds there would be more processes than PAM_COPY_WORKERS. Elsewhere
    it has what helpers there are, beside the others. They have none: a trigram index that two processes build costs a
    quarter more than one that is built by one.
    """
    sizes = catalog.index_sizes(connection, move.source)
    keys = sorted(dress.keys, key=lambda key: -sizes.get(key.name, 0))
    return [
        *(_index(move, key, 0 if number else _all_helpers(connection, key)) for number, key in enumerate(keys)),
        *(_constraint(move, key) for key in dress.keys if key.constraint),
        *(
            Step(
                f"make the trigger {trigger.name}",
                tuple(wardrobe.create_trigger(trigger, move.target)),
                facts.has_trigger(move.target, trigger.name),
                own=(move.target,),
            )
            for trigger in dress.triggers
        ),
        *(step for key in dress.foreign_keys for step in foreign_key_steps(move, key, move.target, "", key.comment)),
        Step(
            "vacuum",
            (sql.SQL("VACUUM {}").format(move.target),),
            facts.is_vacuumed(move.target),
            in_transaction=False,
        ),
    ]


def _all_helpers(connection: BaseDatabaseWrapper, key: Key) -> int | None:
    """The helpers with which all workers build one index; None where the server has not so many for it."""
    helpers = settings.PAM_COPY_WORKERS - 1
    since = PARALLEL_SINCE.get(key.access_method)
    can_be_shared = since is not None and connection.connection.info.server_version >= since
    return helpers if can_be_shared and catalog.index_helpers(connection) >= helpers else None


def _index(move: Move, key: Key, helpers: int | None) -> Step:
    name = suffixed(key.name, TARGET)
    # A constraint's index is built without it, or it would wait for all others: ALTER TABLE wants the table for itself.
    build_it = wardrobe.create_unique if key.constraint else wardrobe.create_key
    return Step(
        f"build {key.name}",
        (build_it(move, key, move.target, name), *wardrobe.index_comment(move, key, name)),
        facts.exists(sql.Identifier(move.source.schema, name)),
        own=(move.target,),
        lane=key.name,
        helpers=helpers,
    )


def _constraint(move: Move, key: Key) -> Step:
    name = suffixed(key.name, TARGET)
    return Step(
        f"make {key.name} a constraint",
        (wardrobe.constrain(key, move.target, name), *wardrobe.remark(key, move.target, name)),
        facts.has_constraint(move.target, name),
        own=(move.target,),
    )
