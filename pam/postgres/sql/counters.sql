-- Whose counters of use these are, and since when. ACCESS SHARE on catalogs only.

-- name: may_read_identifier
-- Whether this role may ask for the server's identifier.
SELECT pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')

-- name: identifier
-- What a server and all its physical replicas have in common, and nobody else.
SELECT system_identifier FROM pg_catalog.pg_control_system()

-- name: server
-- The database's oid, whether the server is a replica, its start, whether it counts, when somebody reset counters of
-- this database, and since when the server has kept any. The last one is in no view: but crash recovery, which throws
-- all counters away, and the very first start set the time of every kind that is kept once for the whole server; a
-- reset by hand can only make one of them later. So the earliest of them is not before that moment.
SELECT d.oid::bigint, pg_catalog.pg_is_in_recovery(), pg_catalog.pg_postmaster_start_time(),
    pg_catalog.current_setting('track_counts')::boolean,
    (SELECT s.stats_reset FROM pg_catalog.pg_stat_database s WHERE s.datid = d.oid),
    least(
        (SELECT s.stats_reset FROM pg_catalog.pg_stat_bgwriter s),
        (SELECT s.stats_reset FROM pg_catalog.pg_stat_archiver s),
        (SELECT s.stats_reset FROM pg_catalog.pg_stat_wal s)
    )
FROM pg_catalog.pg_database d
WHERE d.datname = pg_catalog.current_database()

-- name: named
-- The relations of these oids that are there, with the names that they have there.
SELECT c.oid::bigint, n.nspname, c.relname
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ANY (%(tables)s::oid[])
