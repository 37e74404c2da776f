-- Facts of the catalog, by name of the schema or by oid. Each takes ACCESS SHARE on catalog tables only.

-- name: relation
-- The table or index that a (quoted, perhaps qualified) name stands for in this session; no row if there is none.
SELECT c.oid, n.nspname, c.relname, c.relkind
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = pg_catalog.to_regclass(%(name)s)

-- name: relation_of
-- The table or index of an oid; no row if it was dropped.
SELECT c.oid, n.nspname, c.relname, c.relkind
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = %(oid)s

-- name: other_owner
-- The owner of a table, unless it is the role of this session.
SELECT r.rolname
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_roles r ON r.oid = c.relowner
WHERE c.oid = %(table)s AND r.rolname <> current_user

-- name: index_helpers
-- How many parallel workers a new session of this role gets to build an index of a large table, as far as settings say:
-- the server gives each process 32 MB of maintenance_work_mem, or fewer workers.
SELECT greatest(0, least(
    max(s.reset_val::bigint) FILTER (WHERE s.name = 'max_parallel_maintenance_workers'),
    max(s.reset_val::bigint) FILTER (WHERE s.name = 'max_parallel_workers'),
    max(s.reset_val::bigint) FILTER (WHERE s.name = 'maintenance_work_mem') / 32768 - 1
))
FROM pg_catalog.pg_settings s

-- name: partitions
-- The direct partitions of a table, in the order of their names.
SELECT c.oid, n.nspname, c.relname, c.relkind
FROM pg_catalog.pg_inherits i
JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE i.inhparent = %(table)s AND c.relispartition
ORDER BY c.relname

-- name: index
-- The index of one name in one schema, with all that makes two definitions the same but its name, table and storage.
SELECT
    c.oid,
    n.nspname,
    c.relname,
    x.indrelid,
    x.indrelid::pg_catalog.regclass::text,
    c.relkind = 'I',
    x.indisvalid,
    i.inhparent,
    pg_catalog.pg_get_indexdef(x.indexrelid),
    am.amname,
    x.indisunique,
    x.indnullsnotdistinct,
    x.indnkeyatts,
    ARRAY(
        SELECT pg_catalog.pg_get_indexdef(x.indexrelid, position, false)
        FROM pg_catalog.generate_series(1, x.indnatts) AS position
        ORDER BY position
    ),
    x.indclass::text,
    x.indcollation::text,
    x.indoption::text,
    pg_catalog.pg_get_expr(x.indpred, x.indrelid)
FROM pg_catalog.pg_index x
JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_am am ON am.oid = c.relam
LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid
WHERE n.nspname = %(schema)s AND c.relname = %(name)s

-- name: attached_index
-- The index of a partition that is attached to a given index of its parent table.
SELECT n.nspname, c.relname
FROM pg_catalog.pg_inherits i
JOIN pg_catalog.pg_index x ON x.indexrelid = i.inhrelid
JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE i.inhparent = %(index)s AND x.indrelid = %(table)s

-- name: index_sizes
-- The indexes of a table: name, and bytes with those of the partitions.
SELECT c.relname, greatest(pg_catalog.pg_relation_size(c.oid), (
    SELECT sum(pg_catalog.pg_relation_size(part.relid)) FROM pg_catalog.pg_partition_tree(c.oid) part
))::bigint
FROM pg_catalog.pg_index x
JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid
WHERE x.indrelid = %(table)s

-- name: extension
-- An installed extension: its schema, its comment, and whether a session without a schema name finds its operators.
SELECT n.nspname, pg_catalog.obj_description(e.oid, 'pg_extension'), n.nspname = ANY (pg_catalog.current_schemas(true))
FROM pg_catalog.pg_extension e
JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = %(name)s
