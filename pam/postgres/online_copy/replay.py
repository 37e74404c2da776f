"""Catch up: make the copy's row what the live table's row is now, for each captured key. Idempotent."""

from logging import getLogger

from django.db import IntegrityError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from psycopg2 import sql

from pam.postgres import locks
from pam.postgres.long_statement import execute_long
from pam.postgres.online_copy.dress import Dress
from pam.postgres.online_copy.errors import StartAgain
from pam.postgres.online_copy.move import Move

logger = getLogger("pam.migrations")

BATCH = 2000
# After so many batches in which the backlog set no new low, writers are as fast as we are.
ROUNDS_WITHOUT_PROGRESS = 20

TAKE = sql.SQL(
    "DELETE FROM {keys} WHERE n IN (SELECT n FROM {keys} ORDER BY n LIMIT {limit}) RETURNING id::text, time::text"
)

# Only what differs: a row that is equal already must not be touched, since the table may refuse changes. Keys stand as
# constants, so that the planner looks at the months they are in and no others.
DELETE = sql.SQL(
    "DELETE FROM {target} t WHERE t.{key} = ANY ({ids}) AND t.{time} = ANY ({times}) AND NOT EXISTS ("
    "SELECT FROM {source} s WHERE s.{key} = t.{key} AND s.{time} = t.{time}"
    " AND s.{key} = ANY ({ids}) AND s.{time} = ANY ({times})"
    " AND ROW(s.*)::text = ROW(t.*)::text)"
)
INSERT = sql.SQL(
    "INSERT INTO {target} ({columns}) SELECT {columns} FROM {source} s WHERE s.{key} = ANY ({ids})"
    " AND s.{time} = ANY ({times}) AND NOT EXISTS (SELECT FROM {target} t WHERE t.{key} = s.{key}"
    " AND t.{time} = s.{time} AND t.{key} = ANY ({ids}) AND t.{time} = ANY ({times}))"
)

# The same for all waiting keys at once, for a copy that has no index to find a row by: it reads the copy once. What the
# copy has of a key goes whatever it is: the copy may have met a row twice, before and after an update moved it to
# another block or another time.
UNINDEXED = (
    sql.SQL(
        "DELETE FROM {copy} t USING (SELECT DISTINCT id, time FROM {keys}) k WHERE t.{key} = k.id AND t.{time} = k.time"
    ),
    sql.SQL(
        "INSERT INTO {copy} ({columns}) SELECT {columns} FROM {source} s"
        " WHERE (s.{key}, s.{time}) IN (SELECT id, time FROM {keys})"
    ),
    sql.SQL("DELETE FROM {keys}"),
    sql.SQL("UPDATE {record} SET settled_at = pg_catalog.now()"),
)


def replay_all(connection: BaseDatabaseWrapper, move: Move, dress: Dress, few: int) -> int:
    """Replay until no more than `few` keys wait, or until they stop getting fewer; returns how many were replayed.

    Locks: none but a reader's on the live table. Raises StartAgain after a TRUNCATE.
    """
    replayed, fewest, rounds = 0, None, 0
    while rounds < ROUNDS_WITHOUT_PROGRESS:
        replayed += replay_batch(connection, move, dress)
        left = waiting(connection, move)
        if left <= few:
            break
        rounds += 1
        if fewest is None or left < fewest:
            fewest, rounds = left, 0
    return replayed


def catch_up(connection: BaseDatabaseWrapper, move: Move, dress: Dress) -> None:
    """Replay what has waited, till it is no more than what comes in meanwhile. Raises StartAgain."""
    replayed = replay_all(connection, move, dress, few=BATCH)
    logger.info("%s: %s captured changes replayed", move.source, f"{replayed:,}")


def replay_batch(connection: BaseDatabaseWrapper, move: Move, dress: Dress) -> int:
    """Replay the oldest keys in one transaction; returns how many.

    At REPEATABLE READ: the keys taken and the rows read belong to one moment, so that a key or row that comes later
    comes with a key of its own. If all waiting keys were taken, the copy equals the live table at that moment.

    Locks: FOR KEY SHARE on the rows that the foreign keys name, which a client may hold; asked for briefly, since who
    comes for one that we hold waits for us meanwhile, and again where such a row was changed. Raises LockUnavailable.
    """

    def batch() -> int:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor.execute("SET LOCAL synchronous_commit = off")
            count = replay(cursor, move, dress, move.source.identifier, BATCH)
            # Deferred, the foreign keys would look at the commit.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            return count

    return locks.with_retries(connection, locks.BRIEF, "FOR KEY SHARE", dress.referenced, batch)


def unindexed_statements(move: Move, dress: Dress) -> list[sql.Composed]:
    """The statements of `replay_unindexed`. To months, the copy is the stage: nothing is attached to the new table."""
    return [
        statement.format(
            copy=move.stage if move.to_months else move.target,
            source=move.source.identifier,
            keys=move.keys,
            record=move.record,
            key=move.key,
            time=move.time,
            columns=dress.column_list,
        )
        for statement in UNINDEXED
    ]


def statements(move: Move, dress: Dress) -> list[sql.Composed]:
    """What `catch_up` does, for all keys at once: to be read. What runs names the keys of a batch as constants."""
    names = {
        "target": move.target,
        "source": move.source.identifier,
        "key": move.key,
        "time": move.time,
        "columns": dress.column_list,
        "ids": sql.SQL("ARRAY(SELECT id FROM {})").format(move.keys),
        "times": sql.SQL("ARRAY(SELECT time FROM {})").format(move.keys),
    }
    return [DELETE.format(**names), INSERT.format(**names), sql.SQL("DELETE FROM {}").format(move.keys)]


def replay_unindexed(connection: BaseDatabaseWrapper, move: Move, dress: Dress) -> None:
    """Replay all waiting keys at once into a copy without indexes, which then equals the live table at that moment.

    A unique index can be built only then. Locks: none but a reader's on the live table. Raises StartAgain after a
    TRUNCATE.
    """
    execute_long(connection, sql.SQL("ANALYZE {}").format(move.keys))
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SET LOCAL synchronous_commit = off")
        cursor.execute(sql.SQL("SELECT count(*) FROM {} WHERE id IS NULL").format(move.keys))
        if cursor.fetchone()[0]:
            raise StartAgain("the live table was emptied by TRUNCATE")
        for statement in unindexed_statements(move, dress):
            execute_long(connection, statement)


def replay(cursor: CursorWrapper, move: Move, dress: Dress, source: sql.Identifier, limit: int) -> int:
    """Replay up to `limit` keys in the transaction that is open."""
    cursor.execute(TAKE.format(keys=move.keys, limit=sql.Literal(limit)))
    taken = set(cursor.fetchall())
    if not taken:
        return 0
    if any(key is None for key, _ in taken):
        raise StartAgain("the live table was emptied by TRUNCATE")
    names = {
        "target": move.target,
        "source": source,
        "key": move.key,
        "time": move.time,
        "columns": dress.column_list,
        "ids": _array([key for key, _ in taken], dress.type_of(move.layout.primary_key[0])),
        "times": _array([time for _, time in taken], dress.type_of(move.layout.time)),
    }
    cursor.execute(DELETE.format(**names))
    try:
        cursor.execute(INSERT.format(**names))
    except IntegrityError as error:
        # One transaction gave the place of many rows to others: their removal waits behind this batch. Or rows are
        # there twice now, which the list of obstacles names when the copy begins anew.
        raise StartAgain("rows came in the place of others that the copy still has") from error
    return len(taken)


def _array(values: list[str], of: sql.SQL) -> sql.Composed:
    texts = sql.SQL(", ").join(sql.Literal(value) for value in dict.fromkeys(values))
    return sql.SQL("ARRAY[{}]::{}[]").format(texts, of)


def waiting(connection: BaseDatabaseWrapper, move: Move) -> int:
    """How many captured keys wait."""
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(move.keys))
        (count,) = cursor.fetchone()
    return int(count)
