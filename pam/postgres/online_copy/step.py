"""A step of a move: what it runs, the locks it takes on tables in use, and how the catalog shows that it is done."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql

from pam.postgres import catalog
from pam.postgres import locks as patience
from pam.postgres.catalog import PLAIN, Relation
from pam.postgres.long_statement import execute_long
from pam.postgres.online_copy.build import execute

MOST_NAMED = 2

# Modes that a reader or writer waits for, so that they are asked for briefly, before anything else is done.
STRONG = ("SHARE ROW EXCLUSIVE", "ACCESS EXCLUSIVE")

# The setting of the session, by `Step.helpers`.
HELPERS = "SET max_parallel_maintenance_workers = {}"
AS_THE_SERVER_LIKES = "RESET max_parallel_maintenance_workers"


@dataclass(frozen=True)
class Lock:
    """A lock on a table that somebody uses."""

    table: Relation
    mode: str

    def __str__(self) -> str:
        return f"{self.mode} on {self.table}"


@dataclass(frozen=True)
class Step:
    """One step, and all that is to be known of it beforehand.

    `locks` are those on tables in use, the referenced ones first; `grows` is what the time grows with for which they
    are held: "rows", "months", or nothing. `own` are tables that nobody uses and that the statements lock too, in the
    same mode: they are taken before the others, as an autovacuum may be at work there. `done` is a query for one bool.
    Steps that follow each other and name a `lane` are run side by side, those of one lane in their order. `helpers`:
    so many parallel workers of the server may help to build an index, and if any, the lanes behind it begin when they
    have gone (if none is seen, when it is over); None: as many as the server likes, beside others. `action` runs
    where the statements alone are not all.
    """

    name: str
    statements: tuple[sql.Composable, ...]
    done: sql.Composable
    locks: tuple[Lock, ...] = ()
    own: tuple[sql.Identifier, ...] = ()
    grows: str = ""
    lane: str = ""
    helpers: int | None = None
    in_transaction: bool = True
    action: Callable[[BaseDatabaseWrapper], None] | None = None

    @property
    def helpers_set(self) -> str:
        """The statement that lets so many help."""
        return AS_THE_SERVER_LIKES if self.helpers is None else HELPERS.format(self.helpers)

    @property
    def strong_locks(self) -> list[tuple[Relation, str]]:
        """The locks that others wait for, as `with_locks` takes them."""
        return [(lock.table, lock.mode) for lock in self.locks if lock.mode in STRONG]

    def is_done(self, connection: BaseDatabaseWrapper) -> bool:
        """Whether the catalog shows that there is nothing left to do."""
        with connection.cursor() as cursor:
            cursor.execute(self.done)
            (done,) = cursor.fetchone()
        return bool(done)

    def run(self, connection: BaseDatabaseWrapper) -> None:
        """Do it, in one transaction under its locks where it has any. Raises LockUnavailable, nothing changed."""
        with connection.cursor() as cursor:
            cursor.execute(self.helpers_set)
        if self.action:
            self.action(connection)
        elif not self.in_transaction:
            self._execute(connection)
        elif self.strong_locks:
            wanted = [*((table, self.strong_locks[0][1]) for table in self._own(connection)), *self.strong_locks]
            patience.with_locks(connection, wanted, partial(execute, connection, self.statements))
        else:
            # A dump may read there, or a statement of a run that was killed goes on.
            own, whole = self._own(connection), partial(self._execute_whole, connection)
            patience.with_retries(connection, patience.CALM, "ACCESS EXCLUSIVE", own, whole)

    def _own(self, connection: BaseDatabaseWrapper) -> list[Relation]:
        found = [catalog.relation(connection, name.as_string(connection.connection)) for name in self.own]
        return [table for table in found if table]

    def _execute_whole(self, connection: BaseDatabaseWrapper) -> None:
        # Its commit reaches the disk: VACUUM marks no row as visible to all whose commit may yet be lost.
        with transaction.atomic(using=connection.alias):
            self._execute(connection)

    def _execute(self, connection: BaseDatabaseWrapper) -> None:
        for statement in self.statements:
            execute_long(connection, statement)

    def script(self) -> Iterator[sql.Composable]:
        """Its statements as a DBA would run them by hand, with the transaction and the locks that belong to them."""
        together = self.in_transaction and (len(self.statements) > 1 or self.strong_locks)
        if together:
            yield sql.SQL("BEGIN")
        if self.strong_locks:
            own = [Relation(0, schema, name, PLAIN) for schema, name in (table.strings for table in self.own)]
            yield from patience.lock_script([*((table, self.strong_locks[0][1]) for table in own), *self.strong_locks])
        yield from self.statements
        if together:
            yield sql.SQL("COMMIT")

    def told(self) -> str:
        """The locks in one line."""
        if not self.locks:
            return "Lock: none on a table that anybody uses."
        briefly = f", asked for {patience.BRIEF.lock_timeout_ms} ms at a time" if self.strong_locks else ""
        growth = f"held for a time that grows with {self.grows}" if self.grows else "held for a moment"
        return f"Lock: {self.locks_told}{briefly}, {growth}."

    @property
    def locks_told(self) -> str:
        """The locks for a person, who need not read the name of each of many partitions."""
        told = []
        for _, group in groupby(self.locks, key=lambda lock: lock.mode):
            first, *others = group
            told.append(
                f"{first} and {len(others)} more"
                if len(others) > MOST_NAMED
                else ", ".join([str(first), *map(str, others)])
            )
        return "; ".join(told)
