"""ANALYZE of one table, beside its readers and writers."""

from django.db import ProgrammingError
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql

from pam.postgres import catalog
from pam.postgres.errors import UNDEFINED_TABLE, sqlstate
from pam.postgres.locks import CALM, with_retries

# Before, ANALYZE of a partitioned table always looks at each partition again.
ONLY_SINCE = 18_00_00


def analyze(connection: BaseDatabaseWrapper, oid: int) -> None:
    """Gather the statistics of a table; of a partitioned one as a whole, until PostgreSQL 17 of its partitions too.

    One that was dropped meanwhile is passed over. Not inside a transaction. Lock: SHARE UPDATE EXCLUSIVE on the table
    (and ACCESS SHARE on its partitions): no reader or writer waits, DDL and vacuum do. Raises LockUnavailable.
    """
    table = catalog.relation_of(connection, oid)
    if table is None:
        return
    only = table.is_partitioned and connection.connection.info.server_version >= ONLY_SINCE
    statement = sql.SQL("ANALYZE {}{}").format(sql.SQL("ONLY " if only else ""), table.identifier)

    def gather() -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)

    try:
        with_retries(connection, CALM, "SHARE UPDATE EXCLUSIVE", [table], gather)
    except ProgrammingError as error:
        if sqlstate(error) != UNDEFINED_TABLE:
            raise
