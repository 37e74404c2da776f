"""The server's shared lock table: for how many locks it has room, and how many a statement over partitions takes.

https://www.postgresql.org/docs/current/runtime-config-locks.html#GUC-MAX-LOCKS-PER-TRANSACTION
"""

# What a migration locks of a partition beside it and its indexes: a name, a constraint or trigger, a referenced table.
BESIDE = 3


def room(per_transaction: int, connections: int, prepared: int) -> int:
    """Locks for which there is room: `max_locks_per_transaction` for each connection and prepared transaction, shared.

    The server makes some more, for its own processes, which nobody should count on.
    """
    return per_transaction * (connections + prepared)


def of_query(partitions: int, indexes: int) -> int:
    """Locks of a query over so many partitions with so many indexes each: the planner opens every index."""
    return partitions * (1 + indexes)


def of_migration(partitions: int, indexes: int) -> int:
    """Locks of a statement that changes so many partitions."""
    return partitions * (indexes + BESIDE)
