-- Sizes. The functions that look at files take ACCESS SHARE on a relation for that moment, and give NULL if it is gone.

-- name: database
-- The name of this database, and its bytes.
SELECT pg_catalog.current_database(), pg_catalog.pg_database_size(pg_catalog.current_database())

-- name: parts
-- A table and all its partitions, those of partitions too: the relation, the column by which it is partitioned, bytes of
-- the heap (all forks), of the indexes and of TOAST with its index, and rows. What is dropped by now is left out.
-- pg_partition_tree() would lock all of them; pg_inherits is read instead.
WITH RECURSIVE parts AS (
    SELECT %(table)s::oid AS oid
    UNION ALL
    SELECT i.inhrelid
    FROM parts p
    JOIN pg_catalog.pg_inherits i ON i.inhparent = p.oid
    JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid AND c.relispartition
)
SELECT c.oid, n.nspname, c.relname, c.relkind, a.attname,
    coalesce(s.main + s.maps, 0), coalesce(s.indexes, 0), coalesce(s.toast, 0),
    -- As the planner does (estimate_rel_size): the density of the last count, times the pages that there are now. -1:
    -- never counted; 0 pages: counted when it was empty.
    CASE
        WHEN c.relkind = 'p' OR s.main = 0 THEN 0
        WHEN c.reltuples >= 0 AND c.relpages > 0
            THEN pg_catalog.round(
                c.reltuples::numeric / c.relpages * s.main / pg_catalog.current_setting('block_size')::int
            )::bigint
    END
FROM parts p
JOIN pg_catalog.pg_class c ON c.oid = p.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_partitioned_table t ON t.partrelid = c.oid
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND t.partnatts = 1 AND a.attnum = t.partattrs[0]
CROSS JOIN LATERAL (
    SELECT
        pg_catalog.pg_relation_size(c.oid) AS main,
        pg_catalog.pg_relation_size(c.oid, 'fsm') + pg_catalog.pg_relation_size(c.oid, 'vm')
            + pg_catalog.pg_relation_size(c.oid, 'init') AS maps,
        pg_catalog.pg_indexes_size(c.oid) AS indexes,
        coalesce(pg_catalog.pg_total_relation_size(nullif(c.reltoastrelid, 0)), 0) AS toast
) s
WHERE c.relkind = 'p' OR (c.relkind IN ('r', 'm') AND s.main IS NOT NULL)
ORDER BY c.relname
