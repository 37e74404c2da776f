-- Who is at work in this database. Each takes no lock but ACCESS SHARE on catalog tables.

-- name: sessions
-- Sessions by their pids, oldest transaction first; one without a transaction by its own age. The pid 0 stands for
-- the prepared transactions, which hold locks and have no session: what ends them is shown as their query. The last
-- column says whether there is a transaction, or may be one: for a moment a statement is active before it has begun one.
SELECT
    a.pid,
    coalesce(a.usename, a.backend_type, 'unknown'),
    coalesce(a.state, a.backend_type, 'state hidden from this role'),
    pg_catalog.clock_timestamp() - coalesce(a.xact_start, a.backend_start),
    coalesce(a.query, ''),
    a.xact_start IS NOT NULL OR coalesce(a.state, 'hidden') NOT IN ('idle', 'active')
FROM pg_catalog.pg_stat_activity a
WHERE a.pid = ANY (%(pids)s)
UNION ALL
SELECT
    0,
    p.owner,
    'prepared transaction',
    pg_catalog.clock_timestamp() - p.prepared,
    'ROLLBACK PREPARED ' || pg_catalog.quote_literal(p.gid),
    true
FROM pg_catalog.pg_prepared_xacts p
WHERE 0 = ANY (%(pids)s) AND p.database = pg_catalog.current_database()
ORDER BY 4 DESC NULLS LAST

-- name: helpers
-- How many parallel workers a session (by pid) has.
SELECT count(*) FROM pg_catalog.pg_stat_activity a WHERE a.leader_pid = %(leader)s

-- name: blocking_pids
-- The sessions for which a waiting session (by pid) waits.
SELECT DISTINCT unnest(pg_catalog.pg_blocking_pids(%(pid)s))

-- name: holding_pids
-- The other sessions that hold or await a lock of one of the given modes on one of the relations (by oid).
SELECT DISTINCT coalesce(l.pid, 0)
FROM pg_catalog.pg_locks l
WHERE l.relation = ANY (%(relations)s)
    AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
    AND l.mode = ANY (%(modes)s)
    AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()

-- name: advisory_pids
-- The session that holds an advisory lock of two keys in this database.
SELECT l.pid
FROM pg_catalog.pg_locks l
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
    AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
    AND l.classid = %(first)s AND l.objid = %(second)s

-- name: old_snapshot_pids
-- The other sessions whose transaction began before a time and still reads as of then (REPEATABLE READ, SERIALIZABLE, an
-- open cursor). One that runs its only statement has locked what it reads already, unless a function comes to it later.
SELECT a.pid
FROM pg_catalog.pg_stat_activity a
WHERE a.datname = pg_catalog.current_database() AND a.backend_type = 'client backend'
    AND a.pid <> pg_catalog.pg_backend_pid() AND a.backend_xmin IS NOT NULL AND a.xact_start < %(time)s
    AND (a.state <> 'active' OR a.query_start > a.xact_start)

-- name: build_progress
-- How far the index build of a session (by pid) is: its phase, and what is done and in all of the unit it counts.
SELECT
    p.phase,
    CASE WHEN p.tuples_total > 0 THEN p.tuples_done ELSE p.blocks_done END,
    CASE WHEN p.tuples_total > 0 THEN p.tuples_total ELSE p.blocks_total END,
    CASE WHEN p.tuples_total > 0 THEN 'rows' ELSE 'blocks' END
FROM pg_catalog.pg_stat_progress_create_index p
WHERE p.pid = %(pid)s
