"""The migration operations of this project, one per file."""

from pam.postgres.operations.add_extended_statistics import AddExtendedStatistics
from pam.postgres.operations.add_index import AddIndexConcurrently
from pam.postgres.operations.add_unique_constraint import AddUniqueConstraintConcurrently
from pam.postgres.operations.append_only import AppendOnly
from pam.postgres.operations.create_materialized_view import CreateMaterializedView
from pam.postgres.operations.extension import TrigramExtension
from pam.postgres.operations.lock_before_drop import LockBeforeDrop
from pam.postgres.operations.partition_by_month import PartitionByMonth
from pam.postgres.operations.remove_index import RemoveIndexConcurrently

__all__ = [
    "AddExtendedStatistics",
    "AddIndexConcurrently",
    "AddUniqueConstraintConcurrently",
    "AppendOnly",
    "CreateMaterializedView",
    "LockBeforeDrop",
    "PartitionByMonth",
    "RemoveIndexConcurrently",
    "TrigramExtension",
]
