-- How a server and a database are doing. Each takes ACCESS SHARE on catalog tables only.

-- name: database
-- The version, whether it is a standby, transaction ids and multixact ids in use
-- with the ages at which they are frozen by force, whether autovacuum works, and the extensions.
SELECT pg_catalog.current_setting('server_version_num')::int, pg_catalog.pg_is_in_recovery(),
    pg_catalog.age(d.datfrozenxid), pg_catalog.current_setting('autovacuum_freeze_max_age')::bigint,
    pg_catalog.mxid_age(d.datminmxid), pg_catalog.current_setting('autovacuum_multixact_freeze_max_age')::bigint,
    pg_catalog.current_setting('autovacuum') = 'on' AND pg_catalog.current_setting('track_counts') = 'on',
    ARRAY(SELECT e.extname::text FROM pg_catalog.pg_extension e ORDER BY 1)
FROM pg_catalog.pg_database d
WHERE d.datname = pg_catalog.current_database()

-- name: transactions
-- Sessions of this database that are in a transaction: pid, role, state, begin of the transaction, begin of the state,
-- query. What another role's session does is NULL to who may not see it. A prepared transaction has the pid 0.
SELECT a.pid, coalesce(a.usename::text, 'unknown'), a.state, a.xact_start, a.state_change, coalesce(a.query, '')
FROM pg_catalog.pg_stat_activity a
WHERE a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid()
    AND a.xact_start IS NOT NULL AND coalesce(a.backend_type, 'client backend') = 'client backend'
UNION ALL
SELECT 0, p.owner::text, 'prepared transaction', p.prepared, p.prepared,
    'ROLLBACK PREPARED ' || pg_catalog.quote_literal(p.gid)
FROM pg_catalog.pg_prepared_xacts p
WHERE p.database = pg_catalog.current_database()
ORDER BY 4

-- name: hidden
-- How many sessions of this database do what this role may not see.
SELECT count(*)
FROM pg_catalog.pg_stat_activity a
WHERE a.datname = pg_catalog.current_database() AND a.query = '<insufficient privilege>'

-- name: slots
-- Replication slots: name, whether somebody reads it, the state of its WAL, and the bytes of WAL that it holds.
SELECT s.slot_name::text, s.active, s.wal_status, coalesce(pg_catalog.pg_wal_lsn_diff(
    CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
        ELSE pg_catalog.pg_current_wal_lsn() END, s.restart_lsn)::bigint, 0)
FROM pg_catalog.pg_replication_slots s
WHERE NOT s.temporary
ORDER BY 1

-- name: statistics
-- What the planner knows of tables and their partitions: oid, the parent's oid, schema, name, whether it is partitioned,
-- pages (of the whole for a partitioned one), whether there are statistics of a column that this role may see, whether it may see them,
-- the last ANALYZE (NULL: none since the counters began), rows at it, and rows changed since.
WITH wanted AS (
    SELECT c.oid, i.inhparent, n.nspname, c.relname, c.relkind, c.reltuples
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid
    WHERE c.relkind IN ('r', 'p') AND (c.oid = ANY (%(tables)s) OR i.inhparent = ANY (%(tables)s))
)
SELECT w.oid, w.inhparent, w.nspname, w.relname, w.relkind = 'p',
    coalesce(CASE WHEN w.relkind = 'p' THEN (
        SELECT sum(pg_catalog.pg_relation_size(p.oid)) FROM wanted p WHERE p.inhparent = w.oid
    ) ELSE pg_catalog.pg_relation_size(w.oid) END, 0)::bigint,
    EXISTS (SELECT FROM pg_catalog.pg_stats s WHERE s.schemaname = w.nspname AND s.tablename = w.relname),
    pg_catalog.has_table_privilege(w.oid, 'SELECT'),
    greatest(t.last_analyze, t.last_autoanalyze),
    greatest(w.reltuples, 0)::bigint,
    coalesce(t.n_mod_since_analyze, 0)
FROM wanted w
LEFT JOIN pg_catalog.pg_stat_all_tables t ON t.relid = w.oid
ORDER BY w.relname
