"""The named queries of the workload, explained on one database and judged."""

import math
from collections.abc import Iterable
from time import monotonic

from django.db import Error, connections

from pam.explain.judge import Verdict, judge
from pam.explain.plans import explain
from pam.explain.sample import Sample
from pam.models import PHASE_1
from pam.postgres import catalog
from pam.postgres.errors import TableMissing, said
from pam.postgres.locks import read_only
from pam.workload import QUERIES

TIMEOUT_MS = 60_000


def require_tables(alias: str) -> None:
    """Raise TableMissing unless this session sees all tables that the named queries ask."""
    connection = connections[alias]
    for model in PHASE_1:
        if catalog.relation(connection, connection.ops.quote_name(model._meta.db_table)) is None:
            raise TableMissing(model._meta.db_table)


def verdicts_on(
    alias: str, names: Iterable[str], *, analyze: bool, timeout_ms: int = TIMEOUT_MS, until: float = math.inf
) -> list[Verdict]:
    """Explain and judge named queries, each read-only and within so many milliseconds; one that fails says why.

    A query whose turn comes after `until`, by the clock of `time.monotonic`, is left out.
    Locks: ACCESS SHARE on what a query reads. Raises NoRows where there is nothing to ask about.
    """
    sample, there = Sample(alias), _indexes(alias)
    verdicts = []
    for name in names:
        if monotonic() > until:
            break
        query = QUERIES[name]
        try:
            with read_only(connections[alias], timeout_ms):
                rows = query.build(sample)
            facts = explain(alias, rows, analyze=analyze, timeout_ms=timeout_ms)
        except Error as error:
            verdicts.append(Verdict(name, (said(error),), (), None, None))
        else:
            verdicts.append(judge(query, facts, there))
    return verdicts


def unneeded_indexes(alias: str) -> list[str]:
    """Ours that no named query asks for: a finding about the list of queries as much as about the indexes."""
    needed = {name for query in QUERIES.values() for name in query.indexes}
    return sorted(name for name in _indexes(alias) - needed if name.startswith("ix_"))


def _indexes(alias: str) -> set[str]:
    """The valid indexes of the tables that this session sees, those of partitions left out."""
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid"
            " WHERE x.indisvalid AND NOT c.relispartition AND pg_catalog.pg_table_is_visible(c.oid)"
        )
        return {name for (name,) in cursor.fetchall()}
