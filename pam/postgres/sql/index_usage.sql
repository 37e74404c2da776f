-- Indexes of tables and what they are used for. ACCESS SHARE on catalogs, and on an index while its size is read.

-- name: indexes
-- The indexes of these tables and of their partitions, those that are attached to a parent's index left out: oid,
-- schema, name, quoted name; the table and those that it is a partition of; whether it is unique or holds a constraint;
-- whether a replica identity is it or a part of it; its INVALID ones, itself or parts; whether somebody builds it now
-- (or may, where this role is not told what others build); storage parameters; bytes with those of its parts.
WITH reached AS (
    SELECT given.oid FROM pg_catalog.unnest(%(tables)s::oid[]) AS given (oid)
    UNION
    SELECT tree.relid FROM pg_catalog.unnest(%(tables)s::oid[]) AS given (oid), pg_catalog.pg_partition_tree(given.oid) tree
)
SELECT c.oid::bigint, n.nspname, c.relname, pg_catalog.format('%%I.%%I', n.nspname, c.relname),
    ARRAY(
        SELECT x.indrelid::oid::bigint UNION SELECT up.relid::oid::bigint FROM pg_catalog.pg_partition_ancestors(x.indrelid) up
    ),
    x.indisunique OR x.indisexclusion OR EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = c.oid),
    EXISTS (SELECT FROM pg_catalog.pg_index part WHERE part.indexrelid = ANY (parts.oids) AND part.indisreplident),
    ARRAY(
        SELECT pg_catalog.format('%%I.%%I', m.nspname, p.relname)
        FROM pg_catalog.pg_index part
        JOIN pg_catalog.pg_class p ON p.oid = part.indexrelid
        JOIN pg_catalog.pg_namespace m ON m.oid = p.relnamespace
        WHERE part.indexrelid = ANY (parts.oids) AND NOT part.indisvalid
        ORDER BY p.relkind, 1
    ),
    EXISTS (
        SELECT FROM pg_catalog.pg_stat_progress_create_index work
        WHERE work.datname = pg_catalog.current_database()
            AND (work.index_relid IS NULL OR work.index_relid = ANY (parts.oids))
    ),
    pg_catalog.concat_ws(' ', c.reloptions, (
        SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', a.attnum, a.attoptions), ' ' ORDER BY a.attnum)
        FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attoptions IS NOT NULL
    )),
    (SELECT coalesce(sum(pg_catalog.pg_relation_size(part)), 0)::bigint FROM pg_catalog.unnest(parts.oids) part)
FROM pg_catalog.pg_index x
JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
    SELECT ARRAY(SELECT c.oid UNION SELECT tree.relid FROM pg_catalog.pg_partition_tree(c.oid) tree) AS oids
) parts
-- An array, which the planner takes for ten tables: of a join it would expect so many rows that it compiled the plan.
WHERE x.indrelid = ANY (ARRAY(SELECT reached.oid FROM reached)) AND NOT c.relispartition
ORDER BY x.indrelid::pg_catalog.regclass::text, c.relname

-- name: scans
-- Of each of these indexes, itself or its parts together: scans, and the last one (NULL before PostgreSQL 16, whose view
-- has no such column: hence the detour by JSON). An index of a partitioned table is never scanned, its parts are.
SELECT given.oid::bigint, coalesce(sum(used.idx_scan), 0)::bigint,
    max((pg_catalog.to_jsonb(used) ->> 'last_idx_scan')::timestamptz)
FROM pg_catalog.unnest(%(indexes)s::oid[]) AS given (oid)
CROSS JOIN LATERAL (
    SELECT given.oid AS part UNION SELECT tree.relid FROM pg_catalog.pg_partition_tree(given.oid) tree WHERE tree.isleaf
) parts
LEFT JOIN pg_catalog.pg_stat_user_indexes used ON used.indexrelid = parts.part
GROUP BY given.oid

-- name: made
-- Not later than when each of these indexes was made as it is: the time of the transaction, where the server keeps these
-- (track_commit_timestamp), else that of the first entry in the journal of migrations that was not written before it,
-- for an entry has both a transaction and a time. NULL: made after the last entry, nobody knows when. A database that was
-- copied has the transactions of the old one and counters of its own; so its own making counts as well.
SELECT x.indexrelid::bigint, coalesce(
    CASE WHEN pg_catalog.current_setting('track_commit_timestamp')::boolean THEN greatest(
        pg_catalog.pg_xact_commit_timestamp(x.xmin), pg_catalog.pg_xact_commit_timestamp(d.xmin)
    ) END,
    (SELECT min(entry.applied) FROM {journal} entry
        WHERE pg_catalog.age(entry.xmin) <= least(pg_catalog.age(x.xmin), pg_catalog.age(d.xmin)))
)
FROM pg_catalog.pg_index x
JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database()
WHERE x.indexrelid = ANY (%(indexes)s::oid[])

-- name: may_read
-- Whether this role may read a table.
SELECT pg_catalog.has_table_privilege(%(table)s::oid, 'SELECT')

-- name: foreign_keys
-- The foreign keys of these tables (those that partitions have from them left out): name, table, columns.
SELECT k.conname, k.conrelid::bigint, ARRAY(
        SELECT pg_catalog.quote_ident(a.attname) FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey) ORDER BY a.attname
    )
FROM pg_catalog.pg_constraint k
WHERE k.conrelid = ANY (%(tables)s::oid[]) AND k.contype = 'f' AND k.conparentid = 0
ORDER BY k.conname
