-- What the size of B-tree indexes is held against. ACCESS SHARE on catalogs, and on an index while its size is read.

-- name: parts
-- The B-trees that these indexes consist of: the index, the part's quoted name, bytes; pages and entries as of the last
-- VACUUM or ANALYZE (-1: never); fillfactor; average bytes of an entry's values, NULL unless this role may read the
-- statistics of all its columns (an expression's are kept under the index's name); whether a value may be NULL; bytes of
-- a page.
WITH parts AS (
    SELECT given.oid AS index, part.oid AS part
    FROM pg_catalog.unnest(%(indexes)s::oid[]) AS given (oid)
    CROSS JOIN LATERAL (
        SELECT given.oid UNION SELECT tree.relid FROM pg_catalog.pg_partition_tree(given.oid) tree WHERE tree.isleaf
    ) part
), columns AS (
    SELECT parts.index, parts.part, n.nspname,
        CASE WHEN x.indkey[own.attnum - 1] = 0 THEN c.relname ELSE t.relname END AS described,
        coalesce(theirs.attname, own.attname) AS attname
    FROM parts
    JOIN pg_catalog.pg_index x ON x.indexrelid = parts.part
    JOIN pg_catalog.pg_class c ON c.oid = parts.part AND c.relkind = 'i'
    JOIN pg_catalog.pg_am am ON am.oid = c.relam AND am.amname = 'btree'
    JOIN pg_catalog.pg_class t ON t.oid = x.indrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
    JOIN pg_catalog.pg_attribute own ON own.attrelid = parts.part AND own.attnum > 0
    LEFT JOIN pg_catalog.pg_attribute theirs
        ON theirs.attrelid = x.indrelid AND theirs.attnum = x.indkey[own.attnum - 1] AND theirs.attnum <> 0
), statistics AS MATERIALIZED (
    SELECT s.schemaname, s.tablename, s.attname, s.null_frac, s.avg_width
    FROM pg_catalog.pg_stats s
    WHERE NOT s.inherited AND s.schemaname IN (SELECT nspname FROM columns)
)
SELECT columns.index::bigint, pg_catalog.format('%%I.%%I', n.nspname, c.relname),
    coalesce(pg_catalog.pg_relation_size(c.oid), 0), c.relpages, c.reltuples,
    coalesce((SELECT o.option_value::integer FROM pg_catalog.pg_options_to_table(c.reloptions) o WHERE o.option_name = 'fillfactor'), 90),
    CASE WHEN count(*) = count(s.avg_width) THEN sum((1 - s.null_frac) * s.avg_width) END,
    coalesce(bool_or(s.null_frac > 0), false),
    pg_catalog.current_setting('block_size')::integer
FROM columns
JOIN pg_catalog.pg_class c ON c.oid = columns.part
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN statistics s
    ON s.schemaname = columns.nspname AND s.tablename = columns.described AND s.attname = columns.attname
GROUP BY columns.index, c.oid, n.nspname, c.relname, c.relpages, c.reltuples, c.reloptions
ORDER BY columns.index, c.relname

-- name: measured
-- What a B-tree consists of: bytes, pages of all kinds, leaf pages, and how full these are (percent; NaN without any).
SELECT index_size, internal_pages, leaf_pages, avg_leaf_density FROM {schema}.pgstatindex(%(index)s::text)

-- name: may_measure
-- Whether this role may use the extension pgstattuple, whatever schema it is in.
SELECT coalesce(bool_and(pg_catalog.has_function_privilege(p.oid, 'EXECUTE')), false)
FROM pg_catalog.pg_extension e
JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = e.oid
    AND d.classid = 'pg_catalog.pg_proc'::regclass
JOIN pg_catalog.pg_proc p ON p.oid = d.objid AND p.proname = 'pgstatindex'
WHERE e.extname = 'pgstattuple'
