-- Materialized views. ACCESS SHARE on catalog tables only.

-- name: definition
-- What is there under a name: its kind, its comment, its query as the server stores it, its valid indexes by name.
SELECT c.relkind, pg_catalog.obj_description(c.oid, 'pg_class'),
    CASE WHEN c.relkind IN ('m', 'v') THEN pg_catalog.pg_get_viewdef(c.oid) END,
    ARRAY(
        SELECT i.relname::text FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
        WHERE x.indrelid = c.oid AND x.indisvalid ORDER BY 1
    )
FROM pg_catalog.pg_class c
WHERE c.oid = %(relation)s

-- name: is_populated
-- Whether a materialized view was ever filled; no row if there is none.
SELECT c.relispopulated
FROM pg_catalog.pg_class c
WHERE c.oid = %(relation)s AND c.relkind = 'm'

-- name: age
-- When a view that says it in each of its rows was filled, and how long ago that is.
SELECT refreshed_at, pg_catalog.clock_timestamp() - refreshed_at FROM {view} LIMIT 1
