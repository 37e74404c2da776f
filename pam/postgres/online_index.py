"""An index comes to, or goes from, a live table: the one face of the two ways, for plain and for partitioned tables."""

from django.db.backends.base.base import BaseDatabaseWrapper

from pam.postgres import catalog, concurrent_index, partitioned_index
from pam.postgres.catalog import Relation
from pam.postgres.errors import TableMissing
from pam.postgres.index_spec import IndexSpec
from pam.postgres.run_lock import exclusive_run


def ensure_index(connection: BaseDatabaseWrapper, spec: IndexSpec) -> None:
    """Make sure that the table has the index, valid, whatever an earlier run left; no reader or writer waits for long.

    Not inside a transaction. Locks: see `concurrent_index.ensure` and `partitioned_index.ensure`. Raises TableMissing,
    NameTaken, LockUnavailable, RunInProgress, BuildFailed; each leaves a database on which it can be run again.
    """
    with exclusive_run(connection):
        table = _table(connection, spec)
        ensure = partitioned_index.ensure if table.is_partitioned else concurrent_index.ensure
        ensure(connection, spec, table, spec.name)


def remove_index(connection: BaseDatabaseWrapper, spec: IndexSpec) -> None:
    """Make sure that the table has no index of this name; an index of another definition is not ours and stays.

    Not inside a transaction. Locks: as `remove` of the two modules says. Raises as `ensure_index`.
    """
    with exclusive_run(connection):
        table = _table(connection, spec)
        remove = partitioned_index.remove if table.is_partitioned else concurrent_index.remove
        remove(connection, spec, table, spec.name)


def _table(connection: BaseDatabaseWrapper, spec: IndexSpec) -> Relation:
    table = catalog.relation(connection, spec.table)
    if table is None:
        raise TableMissing(spec.table)
    return table
