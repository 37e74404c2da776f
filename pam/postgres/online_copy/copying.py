"""Copy all rows by several workers, seen while it runs."""

from itertools import zip_longest
from logging import getLogger

from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper

from pam.postgres.online_copy import rows
from pam.postgres.online_copy.dress import Dress
from pam.postgres.online_copy.move import Move
from pam.postgres.online_copy.parallel import in_parallel
from pam.postgres.online_copy.progress import progress_line
from pam.postgres.online_copy.rows import Chunk
from pam.postgres.online_copy.throttle import throttled

logger = getLogger("pam.migrations")


def apart(chunks: list[Chunk], workers: int) -> list[Chunk]:
    """The chunks so that workers who take them in turns are at different places of the table, each in its order.

    Rows that were written at about the same time lie together: so each worker fills a month of its own, and none waits
    for another one that extends the same file.
    """
    share = -(-len(chunks) // workers)
    rounds = zip_longest(*(chunks[first : first + share] for first in range(0, len(chunks), share or 1)))
    return [chunk for turn in rounds for chunk in turn if chunk]


def copy_all(connection: BaseDatabaseWrapper, move: Move, dress: Dress) -> None:
    """Copy the chunks that are left. Lock: ACCESS SHARE on the live table, as a reader, for one chunk at a time."""
    left, copied = rows.chunks_left(connection, move)
    with progress_line(connection, move, copied) as told, throttled(connection, move) as throttle:
        in_parallel(
            connection.alias,
            settings.PAM_COPY_WORKERS,
            apart(left, settings.PAM_COPY_WORKERS),
            lambda own, chunk: rows.copy(own, move, dress, chunk),
            told,
            lambda _own, _chunk, stop: throttle.may_go_on(stop),
        )
    logger.info("%s: %s rows copied", move.source, f"{rows.chunks_left(connection, move)[1]:,}")
