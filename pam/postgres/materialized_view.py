"""A materialized view comes to, is refreshed in, and goes from a live database.

Each of these asks for its locks with a bound, so that nobody queues behind it for longer than a blink.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import Error, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql

from pam.postgres import catalog, locks
from pam.postgres.catalog import MATERIALIZED, Relation
from pam.postgres.errors import NEXT, MenshunError, NameTaken, TableMissing, build_failed, detail, sqlstate
from pam.postgres.index_spec import IndexSpec, create_sql
from pam.postgres.locks import is_open, with_retries
from pam.postgres.online_copy.build import execute
from pam.postgres.online_copy.obstacles import GOES_BEFORE
from pam.postgres.run_lock import exclusive_run
from pam.postgres.sql import query

DEPENDENT_OBJECTS_STILL_EXIST = "2BP01"
TWIN = "menshun_view_twin"


@dataclass(frozen=True)
class MaterializedView:
    """A view's name, its query, its indexes, and the tables that the query reads (quoted); it lies beside the first.

    One of the indexes must be unique, over columns alone: by it a refresh CONCURRENTLY finds a row again.
    """

    name: str
    query: str
    indexes: tuple[IndexSpec, ...]
    reads: tuple[str, ...]

    def place(self, connection: BaseDatabaseWrapper) -> Relation:
        """What has its name, where it is to be; with oid 0 if nothing has."""
        schema = catalog.relation_or_new(connection, self.reads[0]).schema
        name = sql.Identifier(schema, self.name).as_string(connection.connection)
        return catalog.relation(connection, name) or Relation(0, schema, self.name, MATERIALIZED)

    def create(self, place: Relation) -> sql.Composed:
        """Locks: ACCESS SHARE on the tables, as any reader takes it, while they are read: nobody waits for it."""
        return sql.SQL("CREATE MATERIALIZED VIEW {} AS\n").format(place.identifier) + sql.SQL(self.query)

    def finish(self, connection: BaseDatabaseWrapper, place: Relation, owner: str | None) -> Iterator[sql.Composable]:
        """Indexes, our mark, and the tables' owner where that is not who runs this. Locks: none on a table in use."""
        for index in self.indexes:
            yield sql.SQL(create_sql(connection, index, index.name, place.identifier))
        yield sql.SQL("COMMENT ON MATERIALIZED VIEW {} IS {}").format(place.identifier, sql.Literal(GOES_BEFORE))
        if owner:
            # A refresh reads the tables as the view's owner, and only the owner may refresh it.
            yield sql.SQL("ALTER MATERIALIZED VIEW {} OWNER TO {}").format(place.identifier, sql.Identifier(owner))


def drop(view: Relation) -> sql.Composed:
    """Lock: ACCESS EXCLUSIVE on the view; none on the tables that it reads."""
    return sql.SQL("DROP MATERIALIZED VIEW IF EXISTS {}").format(view.identifier)


class ViewTaken(NameTaken):
    """Something else has the name that a materialized view is to have."""

    def __init__(self, name: str, found: str, wanted: str) -> None:
        super().__init__(name, found, wanted)
        self.args = (str(self).replace("ALTER INDEX", "ALTER TABLE"),)


class ViewMissing(MenshunError):
    """There is nothing to be refreshed."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"There is no materialized view {name} in this session's search_path; phase 3 makes it. See what is "
            "applied: python manage.py showmigrations pam"
        )


class ViewNeeded(MenshunError):
    """A view cannot go, since something that is not ours needs it."""


def ensure(connection: BaseDatabaseWrapper, wanted: MaterializedView) -> None:
    """Make sure that the view is there, filled, with its indexes, whatever an earlier run left.

    Not inside a transaction. It is made in one, so that an interrupted run leaves nothing. Locks: ACCESS SHARE on the
    tables that it reads, while they are read. Raises TableMissing, ViewTaken, LockUnavailable, RunInProgress,
    BuildFailed; each leaves a database on which it can be run again.
    """
    with exclusive_run(connection):
        tables = [_table(connection, name) for name in wanted.reads]
        place = _ours(connection, wanted)
        owner = catalog.other_owner(connection, tables[0])

        def make() -> None:
            execute(connection, [wanted.create(place), *wanted.finish(connection, place, owner)])

        try:
            if place.oid and with_retries(
                connection, locks.CALM, "ACCESS SHARE", tables, lambda: _is_whole(connection, wanted, place)
            ):
                return
            if place.oid:
                # Ours, and changed by hand. All that it holds is computed, so nothing is lost with it.
                _drop(connection, place)
            with_retries(connection, locks.CALM, "ACCESS SHARE", tables, make)
        except Error as error:
            raise build_failed(error, f"Making the view {place}", is_open(connection)) from error


def remove(connection: BaseDatabaseWrapper, wanted: MaterializedView) -> None:
    """Make sure that the view is not there; one that does not bear our mark is not ours and stays.

    Not inside a transaction. Lock: ACCESS EXCLUSIVE on the view, asked for briefly; none on the tables that it reads.
    Raises ViewTaken, ViewNeeded, LockUnavailable, RunInProgress, BuildFailed.
    """
    with exclusive_run(connection):
        place = _ours(connection, wanted)
        if place.oid:
            _drop(connection, place)


def refresh(connection: BaseDatabaseWrapper, name: str, *, concurrently: bool) -> None:
    """Fill the view anew. What it shows is what could be seen when this began.

    Locks on the view, while its query runs: EXCLUSIVE with `concurrently`, which no reader waits for, otherwise ACCESS
    EXCLUSIVE, asked for briefly. A view that was never filled nobody can read, so it is filled in the plain way, which
    is the only one that the server has for it. On the tables ACCESS SHARE. Raises ViewMissing, LockUnavailable,
    BuildFailed.
    """
    view = catalog.relation(connection, connection.ops.quote_name(name))
    if view is None or view.kind != MATERIALIZED:
        raise ViewMissing(name)
    beside_readers = concurrently and _is_populated(connection, view)
    how = sql.SQL("CONCURRENTLY " if beside_readers else "")
    patience, mode = (locks.CALM, "EXCLUSIVE") if beside_readers else (locks.BRIEF, "ACCESS EXCLUSIVE")
    statement = sql.SQL("REFRESH MATERIALIZED VIEW {}{}").format(how, view.identifier)
    try:
        with_retries(connection, patience, mode, [view], lambda: _execute(connection, statement))
    except Error as error:
        raise build_failed(error, f"Refreshing {view}", is_open(connection)) from error


def _execute(connection: BaseDatabaseWrapper, statement: sql.Composable) -> None:
    # A transaction of its own, or a savepoint: a try that gets no lock leaves nothing aborted behind.
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute(statement)


def _drop(connection: BaseDatabaseWrapper, view: Relation) -> None:
    try:
        with_retries(connection, locks.BRIEF, "ACCESS EXCLUSIVE", [view], lambda: _execute(connection, drop(view)))
    except Error as error:
        if sqlstate(error) != DEPENDENT_OBJECTS_STILL_EXIST:
            raise build_failed(error, f"Dropping the view {view}", is_open(connection)) from error
        raise ViewNeeded(
            f"Something that is not ours needs the view {view}, so it was not dropped:\n{detail(error)}\n"
            f"Drop or change it first. {NEXT}"
        ) from error


def _table(connection: BaseDatabaseWrapper, name: str) -> Relation:
    table = catalog.relation(connection, name)
    if table is None:
        raise TableMissing(name)
    return table


def _ours(connection: BaseDatabaseWrapper, wanted: MaterializedView) -> Relation:
    """The view, or its empty place; raises ViewTaken if the name is something else's."""
    place = wanted.place(connection)
    if place.oid:
        _, comment, definition, _ = _definition(connection, place)
        if place.kind != MATERIALIZED or comment != GOES_BEFORE:
            found = definition or f"{place} (pg_class.relkind {place.kind})"
            raise ViewTaken(wanted.name, found, wanted.create(place).as_string(connection.connection))
    return place


def _is_whole(connection: BaseDatabaseWrapper, wanted: MaterializedView, place: Relation) -> bool:
    """Whether the view has our query and all our indexes.

    The server stores a query in its own words, so it is asked for those of ours: by a view made of it in a transaction
    that is undone. Lock: ACCESS SHARE on the tables, for a moment.
    """
    _, _, definition, indexes = _definition(connection, place)
    twin = Relation(0, place.schema, TWIN, MATERIALIZED)
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute(sql.SQL("CREATE VIEW {} AS ").format(twin.identifier) + sql.SQL(wanted.query))
        made = catalog.relation(connection, twin.identifier.as_string(connection.connection))
        same = made is not None and _definition(connection, made)[2] == definition
        transaction.set_rollback(True, using=connection.alias)
    return same and {index.name for index in wanted.indexes} <= set(indexes)


def _definition(connection: BaseDatabaseWrapper, relation: Relation) -> tuple[str, str | None, str | None, list[str]]:
    """Kind, comment, query, valid indexes; of what was dropped in between, nothing."""
    with connection.cursor() as cursor:
        cursor.execute(query("views", "definition"), {"relation": relation.oid})
        return cursor.fetchone() or (relation.kind, None, None, [])


def _is_populated(connection: BaseDatabaseWrapper, view: Relation) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(query("views", "is_populated"), {"relation": view.oid})
        return bool(cursor.fetchall() == [(True,)])
