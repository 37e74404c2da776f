-- What the server is set to, what it has counted, and how large things are. ACCESS SHARE on catalog tables only.

-- name: server
-- Version, database and role as they are quoted, whether it is a standby, whether it could compile expressions (JIT).
SELECT pg_catalog.current_setting('server_version_num')::int, pg_catalog.current_setting('server_version'),
    pg_catalog.quote_ident(pg_catalog.current_database()), pg_catalog.quote_ident(current_user),
    pg_catalog.pg_is_in_recovery(), pg_catalog.pg_jit_available()

-- name: settings
-- The settings of these names, as far as this role may see them; whether it may change them for the whole server.
SELECT s.name, s.setting, pg_catalog.current_setting(s.name), s.unit, s.min_val::float8, s.max_val::float8, s.context,
    s.source, s.pending_restart, pg_catalog.has_parameter_privilege(s.name, 'ALTER SYSTEM')
FROM pg_catalog.pg_settings s
WHERE s.name = ANY (%(names)s)

-- name: database
-- Of this database: its size, blocks found in memory and read, temporary files and their bytes; and since when that is
-- counted: a database that was never reset counts since the server does.
SELECT pg_catalog.pg_database_size(d.datid), d.blks_hit, d.blks_read, d.temp_files, d.temp_bytes,
    pg_catalog.clock_timestamp() - coalesce(d.stats_reset, w.stats_reset, pg_catalog.pg_postmaster_start_time())
FROM pg_catalog.pg_stat_database d CROSS JOIN pg_catalog.pg_stat_wal w
WHERE d.datname = pg_catalog.current_database()

-- name: checkpoints
-- Checkpoints that were due, checkpoints that were asked for, and for how long they are counted.
SELECT c.num_timed, c.num_requested, pg_catalog.clock_timestamp() - c.stats_reset
FROM pg_catalog.pg_stat_checkpointer c

-- name: checkpoints_before_17
SELECT b.checkpoints_timed, b.checkpoints_req, pg_catalog.clock_timestamp() - b.stats_reset
FROM pg_catalog.pg_stat_bgwriter b

-- name: wal
-- Bytes of WAL, and for how long they are counted.
SELECT w.wal_bytes::bigint, pg_catalog.clock_timestamp() - w.stats_reset
FROM pg_catalog.pg_stat_wal w

-- name: largest
-- The largest table without its indexes ('r') or the largest index ('i') of this database, and its bytes.
SELECT c.oid::regclass::text, pg_catalog.pg_relation_size(c.oid)
FROM pg_catalog.pg_class c
WHERE c.relkind = %(kind)s AND c.relpersistence <> 't'
    AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'pg_toast'::regnamespace)
ORDER BY 2 DESC NULLS LAST, 1
LIMIT 1

-- name: tables_to_dump
-- How many tables pg_dump would lock: those of all schemas, partitions and partitioned ones each.
SELECT count(*)
FROM pg_catalog.pg_class c
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
    AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)

-- name: leaves
-- The tables (by oid), or in place of a partitioned one its partitions: what of them is set, how large they are, and what
-- was counted. An older server does not count new pages.
SELECT root.oid, root.oid::regclass::text, c.oid IS DISTINCT FROM root.oid,
    pg_catalog.format('%%I.%%I', n.nspname, c.relname), coalesce(c.reloptions, '{}'), c.reltuples::bigint,
    (SELECT count(*) FROM pg_catalog.pg_index x WHERE x.indrelid = c.oid),
    EXISTS (
        SELECT FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
        WHERE t.tgrelid = c.oid AND p.proname = %(guard)s AND t.tgenabled <> 'D'
    ),
    pg_catalog.pg_has_role(c.relowner, 'USAGE'),
    coalesce(s.n_live_tup, 0), coalesce(s.n_tup_ins, 0), coalesce(s.n_tup_upd, 0), coalesce(s.n_tup_del, 0),
    coalesce(s.n_tup_hot_upd, 0), (pg_catalog.to_jsonb(s) ->> 'n_tup_newpage_upd')::bigint
FROM pg_catalog.pg_class root
CROSS JOIN LATERAL (
    SELECT root.oid AS leaf WHERE root.relkind = 'r'
    UNION ALL SELECT part.relid FROM pg_catalog.pg_partition_tree(root.oid) part WHERE root.relkind = 'p' AND part.isleaf
) one
JOIN pg_catalog.pg_class c ON c.oid = one.leaf AND c.relkind = 'r'
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_stat_all_tables s ON s.relid = c.oid
WHERE root.oid = ANY (%(tables)s)
ORDER BY 2, 4
