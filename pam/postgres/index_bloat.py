"""How much of a B-tree is more than its entries need: estimated from statistics, or measured by pgstattuple.

The estimate is the well-known one of check_postgres and of ioguix's pgsql-bloat-estimation
(https://github.com/ioguix/pgsql-bloat-estimation), worked out anew: what the entries of the last VACUUM or ANALYZE, of
the average width in pg_stats, would fill at the index's fillfactor, against the pages that were there at that time. It
knows nothing of deduplication, which makes an index with many equal keys smaller than that, so it says too little
rather than too much. GIN and the other methods have no such estimate.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql

from pam.postgres import catalog
from pam.postgres.errors import QUERY_CANCELED, UNDEFINED_TABLE, sqlstate
from pam.postgres.locks import read_only
from pam.postgres.sql import query, rows

ESTIMATE, MEASURED = "estimate from pg_stats", "pgstatindex"
NO_STATISTICS = "no statistics that this role may read: ANALYZE the table, or GRANT SELECT on it to this role"
EXTENSION = "pgstattuple"

# Of a page (src/include/storage/bufpage.h, nbtree.h) and of an entry (itup.h), in bytes.
PAGE_HEADER, PAGE_SPECIAL, ENTRY_HEADER, ENTRY_POINTER, NULL_BITMAP, ALIGNMENT = 24, 16, 8, 4, 8, 8


@dataclass(frozen=True)
class Bloat:
    """`bytes` of an index that its entries do not need, and their `share` of it; None if nobody knows. `source` says
    who tells it, or why nobody does."""

    bytes: int | None
    share: float | None
    source: str


@dataclass(frozen=True)
class Part:
    """A B-tree without parts of its own, as statistics describe it. `width` is None where they are not to be had."""

    quoted: str
    bytes: int
    pages: int
    entries: float
    fillfactor: int
    width: float | None
    has_nulls: bool
    page_bytes: int

    @property
    def bloat_bytes(self) -> int | None:
        """Bytes beyond what the entries need; None without statistics, unless there is only the first page."""
        if self.bytes <= self.page_bytes:
            return 0
        if self.width is None or self.entries < 0:
            return None
        needed = expected_pages(self.entries, self.width, self.has_nulls, self.fillfactor, self.page_bytes)
        return max(0, self.pages - needed) * self.page_bytes


def expected_pages(entries: float, width: float, has_nulls: bool, fillfactor: int, page_bytes: int) -> int:
    """Pages of a tree of so many entries of this average width, with the first page, which holds none."""
    bare = ENTRY_HEADER + (NULL_BITMAP if has_nulls else 0) + width
    entry = math.ceil(bare / ALIGNMENT) * ALIGNMENT + ENTRY_POINTER
    room = (page_bytes - PAGE_HEADER - PAGE_SPECIAL) * fillfactor / 100
    level = math.ceil(entries * entry / room)
    pages = 1 + level
    while level > 1:
        level = math.ceil(level * entry / room)
        pages += level
    return pages


def estimated(connection: BaseDatabaseWrapper, indexes: Sequence[int]) -> dict[int, Bloat]:
    """The estimate for each of these indexes (oids) that is a B-tree, its partitions' added up. ACCESS SHARE."""
    parts = _parts(connection, indexes)
    return {oid: _together(of_it) for oid, of_it in parts.items()}


def measured(connection: BaseDatabaseWrapper, index: int, statement_ms: int) -> Bloat | None:
    """What pgstattuple finds in a B-tree (its oid), which it reads as a whole: ACCESS SHARE on it meanwhile.

    None where the extension is not installed, or this role may not use it, where a part takes longer than so many
    milliseconds, or was dropped. Not inside a transaction.
    """
    extension = catalog.extension(connection, EXTENSION)
    if extension is None or not rows(connection, "index_bloat", "may_measure")[0][0]:
        return None
    statement = sql.SQL(query("index_bloat", "measured")).format(schema=sql.Identifier(extension.schema))
    size = needed = 0.0
    parts = _parts(connection, [index]).get(index)
    for part in parts or ():
        try:
            with read_only(connection, statement_ms), connection.cursor() as cursor:
                cursor.execute(statement, {"index": part.quoted})
                part_bytes, internal, leaves, density = cursor.fetchone()
        except Error as error:
            if sqlstate(error) in (QUERY_CANCELED, UNDEFINED_TABLE):
                return None
            raise
        size += part_bytes
        full = leaves * density / part.fillfactor if leaves else 0
        needed += (1 + internal + full) * part.page_bytes
    if not parts:
        return None
    wasted = max(0, round(size - needed))
    return Bloat(wasted, wasted / size if size else 0.0, MEASURED)


def _parts(connection: BaseDatabaseWrapper, indexes: Sequence[int]) -> dict[int, list[Part]]:
    parts: dict[int, list[Part]] = defaultdict(list)
    for oid, *facts in rows(connection, "index_bloat", "parts", indexes=list(indexes)):
        parts[oid].append(Part(*facts))
    return parts


def _together(parts: Sequence[Part]) -> Bloat:
    wasted, size = 0, 0
    for part in parts:
        if part.bloat_bytes is None:
            return Bloat(None, None, NO_STATISTICS)
        wasted += part.bloat_bytes
        size += max(part.bytes, part.pages * part.page_bytes)
    return Bloat(wasted, wasted / size if size else 0.0, ESTIMATE)
