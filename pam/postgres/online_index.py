"""An index comes to, or goes from, a live table: the one face of the two ways, for plain and for partitioned tables."""

from logging import getLogger

from django.db.backends.base.base import BaseDatabaseWrapper

from pam.postgres import catalog, concurrent_index, partitioned_index
from pam.postgres.catalog import Relation
from pam.postgres.errors import TableMissing
from pam.postgres.index_spec import IndexSpec, require_same
from pam.postgres.locks import exclusive_run

logger = getLogger("pam.migrations")


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

    Not inside a transaction. Locks: see `concurrent_index.drop` and `partitioned_index.drop`. Raises as `ensure_index`.
    """
    with exclusive_run(connection):
        table = _table(connection, spec)
        found = catalog.index(connection, table.schema, spec.name)
        if found is None:
            logger.info("%s on %s: was not there", spec.name, table)
            return
        if found.is_valid or found.table_oid != table.oid:
            require_same(connection, spec, table, found)
        if table.is_partitioned:
            partitioned_index.drop(connection, table, found)
        else:
            concurrent_index.drop(connection, table, found)
        logger.info("%s on %s: dropped", spec.name, table)


def _table(connection: BaseDatabaseWrapper, spec: IndexSpec) -> Relation:
    table = catalog.relation(connection, spec.table)
    if table is None:
        raise TableMissing(spec.table)
    return table
