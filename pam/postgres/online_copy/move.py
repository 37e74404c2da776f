"""What is to be moved, and the names of everything that exists only while it moves."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from django.db import models
from psycopg2 import sql

from pam.postgres.catalog import Relation
from pam.postgres.months import Month

NAME_BYTES = 63


def suffixed(name: str, suffix: str) -> str:
    """`name_suffix`, within PostgreSQL's 63 bytes: a name that is too long ends in a digest of itself."""
    full = f"{name}_{suffix}"
    if len(full.encode()) <= NAME_BYTES:
        return full
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    room = NAME_BYTES - len(digest) - len(suffix) - 2
    return f"{name.encode()[:room].decode(errors='ignore')}_{digest}_{suffix}"


@dataclass(frozen=True)
class Layout:
    """What the operation knows of a table: its quoted name, its time column, and its keys while it is plain.

    Over partitions each key ends in the time column as well; `uniques` are constraint names with their columns.
    """

    table: str
    time: str
    primary_key: tuple[str, ...]
    uniques: Mapping[str, tuple[str, ...]]


def layout_of(model: type[models.Model], time: str, quote: Callable[[str], str]) -> Layout:
    """The layout that follows from a model, and from the name of its time field."""

    def column(name: str) -> str:
        return str(cast("models.Field[Any, Any]", model._meta.get_field(name)).column)

    return Layout(
        table=quote(model._meta.db_table),
        time=column(time),
        primary_key=(str(model._meta.pk.column),),
        uniques={
            constraint.name: tuple(map(column, constraint.fields))
            for constraint in model._meta.constraints
            if isinstance(constraint, models.UniqueConstraint) and constraint.condition is None
        },
    )


@dataclass(frozen=True)
class Span:
    """The months that get a partition, both included. All other rows go to the default one."""

    first: Month
    last: Month


@dataclass(frozen=True)
class Move:
    """One table on its way: the live table as the catalog names it, its layout, and the direction."""

    source: Relation
    layout: Layout
    to_months: bool

    def named(self, suffix: str) -> sql.Identifier:
        """The working object of this table that is called by `suffix`."""
        return sql.Identifier(self.source.schema, suffixed(self.source.name, suffix))

    @property
    def time(self) -> sql.Identifier:
        return sql.Identifier(self.layout.time)

    @property
    def key(self) -> sql.Identifier:
        """The first column of the primary key: with the time, it finds a row in either table."""
        return sql.Identifier(self.layout.primary_key[0])

    @property
    def target(self) -> sql.Identifier:
        """The table as it shall be, until it gets the live one's name."""
        return self.named(TARGET)

    @property
    def stage(self) -> sql.Identifier:
        """A partitioned table without indexes, through which the rows find their months."""
        return self.named(STAGE)

    @property
    def old(self) -> sql.Identifier:
        """The live table after it has lost its name."""
        return self.named(OLD)

    @property
    def keys(self) -> sql.Identifier:
        """The log of captured keys."""
        return self.named(KEYS)

    @property
    def chunks(self) -> sql.Identifier:
        """The ranges of blocks to copy, and which are done."""
        return self.named(CHUNKS)

    @property
    def record(self) -> sql.Identifier:
        """One row: what the live table looked like when its rows began to be captured, and when all was verified."""
        return self.named(RECORD)

    @property
    def function(self) -> sql.Identifier:
        """It logs the keys of what is changed."""
        return self.named(FUNCTION)

    @property
    def referenced_function(self) -> sql.Identifier:
        """It takes from the copy what refers to a row that goes."""
        return self.named(REFERENCED)


TARGET, STAGE, OLD = "menshun_new", "menshun_stage", "menshun_old"
KEYS, CHUNKS, RECORD = "menshun_keys", "menshun_chunks", "menshun_record"
FUNCTION, REFERENCED = "menshun_capture", "menshun_referenced"
CAPTURE_TRIGGER, TRUNCATE_TRIGGER = "menshun_capture", "menshun_capture_truncate"
