-- Months of a partitioned table. Each takes ACCESS SHARE on catalog tables only.

-- name: months
-- The partitions of a table, the default one last: the relation, its bound as the server writes it, whether that is
-- DEFAULT, year and month if it is exactly one calendar month of UTC, estimated rows (-1: never counted), bytes, comment,
-- and whether a DETACH CONCURRENTLY was begun and not ended.
SELECT p.oid, p.nspname, p.relname, p.relkind, p.bound, p.bound = 'DEFAULT',
    CASE WHEN w.is_month THEN extract(year FROM w.first)::int END,
    CASE WHEN w.is_month THEN extract(month FROM w.first)::int END,
    p.reltuples::bigint, pg_catalog.pg_total_relation_size(p.oid),
    pg_catalog.obj_description(p.oid, 'pg_class'), p.inhdetachpending
FROM (
    SELECT c.oid, n.nspname, c.relname, c.relkind, c.reltuples, i.inhdetachpending,
        pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS bound
    FROM pg_catalog.pg_inherits i
    JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE i.inhparent = %(table)s AND c.relkind IN ('r', 'p', 'f')
) p
-- Text of this session, read back in this session: its time zone and date style are the same both times.
CROSS JOIN LATERAL (
    SELECT CASE WHEN p.bound LIKE 'FOR VALUES FROM (''%%'') TO (''%%'')'
        THEN pg_catalog.split_part(p.bound, '''', 2)::timestamptz AT TIME ZONE 'UTC' END AS first,
        CASE WHEN p.bound LIKE 'FOR VALUES FROM (''%%'') TO (''%%'')'
        THEN pg_catalog.split_part(p.bound, '''', 4)::timestamptz AT TIME ZONE 'UTC' END AS last
) b
CROSS JOIN LATERAL (
    SELECT b.first, coalesce(
        CASE WHEN pg_catalog.isfinite(b.first) AND b.first >= '0001-01-01' AND b.first < '9999-12-01'
            THEN b.first = pg_catalog.date_trunc('month', b.first) AND b.last = b.first + interval '1 month' END,
        false
    ) AS is_month
) w
ORDER BY 6, b.first, p.relname

-- name: comment
-- The comment of a table, and whether it is a partition of something.
SELECT pg_catalog.obj_description(c.oid, 'pg_class'), c.relispartition
FROM pg_catalog.pg_class c
WHERE c.oid = %(table)s

-- name: default
-- The default partition of a table; no row if there is none.
SELECT c.oid, n.nspname, c.relname, c.relkind
FROM pg_catalog.pg_partitioned_table p
JOIN pg_catalog.pg_class c ON c.oid = p.partdefid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE p.partrelid = %(table)s
