"""Whether one index can do all that another can, and whether it serves a foreign key."""

from pam.postgres.index_usage import ForeignKey, IndexUsage

BTREE = "btree"


def covers(other: IndexUsage, one: IndexUsage) -> bool:
    """Whether `other` can do all that `one` can: it has its columns in front, the same way, on the same rows.

    Only a B-tree can be asked by its leading columns; an index of another method must be the same in all things. A
    unique index forbids rows, which no other does for it. On a partition of one's own, the index of a parent counts.
    """
    mine, its = one.index.definition, other.index.definition
    if mine.unique or other.index.table_oid not in one.tables or mine.predicate != its.predicate:
        return False
    if mine.method != BTREE:
        return mine == its and one.parameters == other.parameters
    return (
        its.method == BTREE
        and _keys(one) == _keys(other)[: mine.key_count]
        and set(mine.columns[mine.key_count :]) <= set(its.columns)
    )


def is_same_key(one: IndexUsage, other: IndexUsage) -> bool:
    """Whether the two have the same key; what else they hold may differ."""
    return _keys(one) == _keys(other)


def supports(one: IndexUsage, key: ForeignKey) -> bool:
    """Whether the index finds the rows that refer to a given one: all rows, by the columns of the key, in any order."""
    definition = one.index.definition
    leading = definition.columns[: min(len(key.columns), definition.key_count)]
    return (
        key.table_oid in one.tables
        and definition.method == BTREE
        and definition.predicate is None
        and sorted(leading) == sorted(key.columns)
    )


def _keys(one: IndexUsage) -> list[tuple[str, str, str, str]]:
    """Each column of the key, with its operator class, collation and order."""
    it = one.index.definition
    vectors = (it.opclasses.split(), it.collations.split(), it.options.split())
    return list(zip(it.columns[: it.key_count], *vectors, strict=True))
