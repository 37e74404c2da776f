-- What would stop a table from being moved: problem and cure, to be read by a person. ACCESS SHARE on catalogs only.

-- name: in_the_catalog
-- Everything that hangs on the table and would not come along, or that the copy cannot work with.
SELECT pg_catalog.format('The column %%I may be NULL, and a row without a time has no month.', a.attname),
    pg_catalog.format('ALTER TABLE %%s ALTER COLUMN %%I SET NOT NULL.', a.attrelid::regclass, a.attname)
FROM pg_catalog.pg_attribute a
WHERE a.attrelid = %(table)s AND a.attname = %(time)s AND NOT a.attnotnull
UNION ALL
SELECT pg_catalog.format('The foreign key %%I of %%s points at it, and would point at the old table.', k.conname, k.conrelid::regclass),
    pg_catalog.format('ALTER TABLE %%s DROP CONSTRAINT %%I.', k.conrelid::regclass, k.conname)
FROM pg_catalog.pg_constraint k
WHERE k.confrelid = %(table)s AND k.contype = 'f' AND k.conparentid = 0
UNION ALL
SELECT pg_catalog.format('The exclusion constraint %%I cannot span partitions.', k.conname),
    pg_catalog.format('ALTER TABLE %%s DROP CONSTRAINT %%I.', k.conrelid::regclass, k.conname)
FROM pg_catalog.pg_constraint k
WHERE k.conrelid = %(table)s AND k.contype = 'x'
UNION ALL
SELECT pg_catalog.format('The constraint %%I %%s.', k.conname, CASE WHEN k.unenforced THEN 'is NOT ENFORCED' ELSE 'was never validated' END),
    pg_catalog.format(CASE WHEN k.unenforced THEN 'ALTER TABLE %%s DROP CONSTRAINT %%I, and add it again afterwards.'
        ELSE 'ALTER TABLE %%s VALIDATE CONSTRAINT %%I.' END, k.conrelid::regclass, k.conname)
FROM (
    SELECT c.conname, c.conrelid, pg_catalog.pg_get_constraintdef(c.oid) LIKE '%% NOT ENFORCED' AS unenforced
    FROM pg_catalog.pg_constraint c
    WHERE c.conrelid = %(table)s AND NOT c.convalidated
) k
UNION ALL
SELECT DISTINCT pg_catalog.format('The view %%s reads it, and would go on reading the old table.', v.oid::regclass),
    pg_catalog.format(CASE WHEN v.is_ours THEN 'It is menshun''s own, and its migration makes it again: DROP %%s %%s.'
            ELSE 'Keep its text (pg_get_viewdef), drop it, and create it again afterwards: DROP %%s %%s.' END,
        CASE v.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END, v.oid::regclass)
FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid AND d.classid = 'pg_catalog.pg_rewrite'::regclass
JOIN (
    SELECT c.oid, c.relkind, pg_catalog.obj_description(c.oid, 'pg_class') IS NOT DISTINCT FROM %(mark)s AS is_ours
    FROM pg_catalog.pg_class c
) v ON v.oid = r.ev_class
WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = %(table)s AND v.oid <> %(table)s
    AND (%(ours_too)s OR NOT v.is_ours)
UNION ALL
SELECT DISTINCT pg_catalog.format('The function %%s uses its row type.', p.oid::regprocedure),
    pg_catalog.format('DROP FUNCTION %%s, and create it again afterwards.', p.oid::regprocedure)
FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_proc p ON p.oid = d.objid AND d.classid = 'pg_catalog.pg_proc'::regclass
JOIN pg_catalog.pg_class c ON c.oid = %(table)s
WHERE (d.refclassid = 'pg_catalog.pg_type'::regclass AND d.refobjid = c.reltype)
    OR (d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = c.oid)
UNION ALL
SELECT pg_catalog.format('The row security policy %%I hangs on it.', p.polname),
    pg_catalog.format('DROP POLICY %%I ON %%s, and create it again afterwards.', p.polname, p.polrelid::regclass)
FROM pg_catalog.pg_policy p
WHERE p.polrelid = %(table)s
UNION ALL
SELECT DISTINCT pg_catalog.format('The row security policy %%I of %%s reads it, and would go on reading the old table.', p.polname, p.polrelid::regclass),
    pg_catalog.format('DROP POLICY %%I ON %%s, and create it again afterwards.', p.polname, p.polrelid::regclass)
FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_policy p ON p.oid = d.objid AND d.classid = 'pg_catalog.pg_policy'::regclass
WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = %(table)s AND p.polrelid <> %(table)s
UNION ALL
SELECT 'Row security is on, or forced.',
    pg_catalog.format('ALTER TABLE %%s DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY.', c.oid::regclass)
FROM pg_catalog.pg_class c
WHERE c.oid = %(table)s AND (c.relrowsecurity OR c.relforcerowsecurity)
UNION ALL
SELECT pg_catalog.format('The rule %%I hangs on it.', r.rulename), pg_catalog.format('DROP RULE %%I ON %%s.', r.rulename, r.ev_class::regclass)
FROM pg_catalog.pg_rewrite r
WHERE r.ev_class = %(table)s
UNION ALL
SELECT pg_catalog.format('The extended statistics %%I hang on it.', s.stxname), pg_catalog.format('DROP STATISTICS %%I.%%I, and create them again afterwards.', n.nspname, s.stxname)
FROM pg_catalog.pg_statistic_ext s JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace
WHERE s.stxrelid = %(table)s AND pg_catalog.obj_description(s.oid, 'pg_statistic_ext') IS DISTINCT FROM %(mark)s
UNION ALL
SELECT pg_catalog.format('The publication %%I replicates it; its subscribers know the old table.', p.pubname),
    pg_catalog.format('ALTER PUBLICATION %%I DROP TABLE %%s, and add it again afterwards.', p.pubname, %(table)s::regclass)
FROM pg_catalog.pg_publication p
LEFT JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = %(table)s
LEFT JOIN pg_catalog.pg_publication_namespace s ON s.pnpubid = p.oid
    AND s.pnnspid = (SELECT c.relnamespace FROM pg_catalog.pg_class c WHERE c.oid = %(table)s)
WHERE p.puballtables OR r.oid IS NOT NULL OR s.oid IS NOT NULL
UNION ALL
SELECT 'A subscription writes to it.', 'ALTER SUBSCRIPTION ... REFRESH PUBLICATION without it first.'
WHERE EXISTS (SELECT FROM pg_catalog.pg_subscription_rel r WHERE r.srrelid = %(table)s)
UNION ALL
SELECT 'Its replica identity is not the default.', pg_catalog.format('ALTER TABLE %%s REPLICA IDENTITY DEFAULT.', c.oid::regclass)
FROM pg_catalog.pg_class c
WHERE c.oid = %(table)s AND c.relreplident <> 'd'
UNION ALL
SELECT pg_catalog.format('The sequence %%s is owned by it and would be dropped with the old table.', d.objid::regclass),
    pg_catalog.format('ALTER SEQUENCE %%s OWNED BY NONE.', d.objid::regclass)
FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_class c ON c.oid = d.objid AND c.relkind = 'S'
WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refobjid = %(table)s AND d.deptype = 'a'
UNION ALL
SELECT pg_catalog.format('%%s inherits from it, or it from %%s, and not as a month.', i.inhrelid::regclass, i.inhparent::regclass),
    pg_catalog.format('ALTER TABLE %%s NO INHERIT %%s.', i.inhrelid::regclass, i.inhparent::regclass)
FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
WHERE (i.inhparent = %(table)s OR i.inhrelid = %(table)s) AND NOT c.relispartition
UNION ALL
SELECT pg_catalog.format('%%s is a partition that is not a plain table.', c.oid::regclass), pg_catalog.format('Detach it: ALTER TABLE %%s DETACH PARTITION %%s.', i.inhparent::regclass, c.oid::regclass)
FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = %(table)s AND c.relispartition AND c.relkind <> 'r'
UNION ALL
SELECT pg_catalog.format('A column of %%s has its row type.', d.objid::regclass),
    pg_catalog.format('ALTER TABLE %%s DROP COLUMN that is of the type %%s.', d.objid::regclass, c.oid::regclass)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_type t ON t.oid = c.reltype
JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_type'::regclass AND d.refobjid = ANY (ARRAY[t.oid, t.typarray])
WHERE c.oid = %(table)s AND d.classid = 'pg_catalog.pg_class'::regclass AND d.deptype = 'n'
UNION ALL
SELECT pg_catalog.format('The constraint %%I is %%s, which a partitioned table cannot have or this would lose.', k.conname, pg_catalog.pg_get_constraintdef(k.oid)),
    pg_catalog.format('ALTER TABLE %%s DROP CONSTRAINT %%I, and add it again afterwards.', k.conrelid::regclass, k.conname)
FROM pg_catalog.pg_constraint k
LEFT JOIN pg_catalog.pg_index x ON x.indexrelid = k.conindid AND k.contype IN ('p', 'u')
LEFT JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
WHERE k.conrelid = %(table)s AND (
    (k.contype = 'c' AND k.connoinherit)
    OR (k.contype IN ('p', 'u') AND (k.condeferrable OR x.indnatts <> x.indnkeyatts OR i.reloptions IS NOT NULL))
)
UNION ALL
SELECT 'It is UNLOGGED, and the new one would be logged.', pg_catalog.format('ALTER TABLE %%s SET LOGGED.', c.oid::regclass)
FROM pg_catalog.pg_class c
WHERE c.oid = %(table)s AND c.relpersistence <> 'p'
UNION ALL
SELECT pg_catalog.format('It is marked as clustered by %%s.', x.indexrelid::regclass), pg_catalog.format('ALTER TABLE %%s SET WITHOUT CLUSTER.', x.indrelid::regclass)
FROM pg_catalog.pg_index x
WHERE x.indrelid = %(table)s AND x.indisclustered
UNION ALL
SELECT pg_catalog.format('The index %%s has a statistics target of its own.', x.indexrelid::regclass),
    pg_catalog.format('ALTER INDEX %%s ALTER COLUMN %%s SET STATISTICS -1, and set it again afterwards.', x.indexrelid::regclass, a.attnum)
FROM pg_catalog.pg_index x JOIN pg_catalog.pg_attribute a ON a.attrelid = x.indexrelid
WHERE x.indrelid = %(table)s AND coalesce(a.attstattarget, -1) >= 0
UNION ALL
SELECT DISTINCT pg_catalog.format('%%I granted privileges on it, and only its owner could grant them again.', r.rolname),
    pg_catalog.format('Let the owner grant them, and take them back as that role: SET ROLE %%I.', r.rolname)
FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) e JOIN pg_catalog.pg_roles r ON r.oid = e.grantor
WHERE c.oid = %(table)s AND e.grantor <> c.relowner
UNION ALL
SELECT pg_catalog.format('%%s lies in the tablespace %%I, and what takes its place would lie in %%I.', part.oid::regclass, part.spcname, part.ours),
    pg_catalog.format('Make the new ones there too: ALTER ROLE %%I SET default_tablespace = %%L.', current_user, part.spcname)
FROM (
    SELECT c.oid, coalesce(s.spcname, d.spcname) AS spcname,
        coalesce(nullif(pg_catalog.current_setting('default_tablespace'), ''), d.spcname) AS ours
    FROM pg_catalog.pg_class c
    LEFT JOIN pg_catalog.pg_tablespace s ON s.oid = c.reltablespace
    JOIN pg_catalog.pg_database b ON b.datname = pg_catalog.current_database()
    JOIN pg_catalog.pg_tablespace d ON d.oid = b.dattablespace
    WHERE c.oid = %(table)s OR c.oid IN (SELECT x.indexrelid FROM pg_catalog.pg_index x WHERE x.indrelid = %(table)s)
) part
WHERE part.spcname <> part.ours
UNION ALL
SELECT 'This role does not own it.', pg_catalog.format('Run this as %%I, or GRANT %%I TO %%I.', r.rolname, r.rolname, current_user)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_roles r ON r.oid = c.relowner
WHERE c.oid = %(table)s AND NOT pg_catalog.pg_has_role(c.relowner, 'USAGE')
UNION ALL
SELECT pg_catalog.format('The foreign key %%I refers to %%s, which this role does not own.', k.conname, k.confrelid::regclass),
    pg_catalog.format('Run this as a role that owns both, or GRANT %%I TO %%I.', r.rolname, current_user)
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.confrelid
JOIN pg_catalog.pg_roles r ON r.oid = c.relowner
WHERE k.conrelid = %(table)s AND k.contype = 'f' AND k.conparentid = 0 AND NOT pg_catalog.pg_has_role(c.relowner, 'USAGE')
UNION ALL
SELECT 'This role may not make tables in its schema.', pg_catalog.format('GRANT CREATE ON SCHEMA %%I TO %%I.', n.nspname, current_user)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = %(table)s AND NOT pg_catalog.has_schema_privilege(n.oid, 'CREATE')

-- name: of_a_month
-- What a month has that its table has not, and a plain table would lose. A trigger of the function `guard` is ours.
SELECT pg_catalog.format('The index %%s is of the month %%s alone.', x.indexrelid::regclass, x.indrelid::regclass),
    pg_catalog.format('Make it on the whole table, or drop it: DROP INDEX CONCURRENTLY %%s.', x.indexrelid::regclass)
FROM pg_catalog.pg_index x
WHERE x.indrelid = %(table)s AND x.indisvalid
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = x.indexrelid)
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = x.indexrelid AND k.conrelid = x.indrelid)
UNION ALL
SELECT pg_catalog.format('The constraint %%I is of the month %%s alone.', k.conname, k.conrelid::regclass),
    pg_catalog.format('Add it to the whole table, or drop it: ALTER TABLE %%s DROP CONSTRAINT %%I.', k.conrelid::regclass, k.conname)
FROM pg_catalog.pg_constraint k
WHERE k.conrelid = %(table)s AND k.contype IN ('c', 'f', 'p', 'u', 'x') AND k.conparentid = 0 AND k.coninhcount = 0
UNION ALL
SELECT pg_catalog.format('The trigger %%I is of the month %%s alone.', t.tgname, t.tgrelid::regclass),
    pg_catalog.format('DROP TRIGGER %%I ON %%s.', t.tgname, t.tgrelid::regclass)
FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
WHERE t.tgrelid = %(table)s AND NOT t.tgisinternal AND t.tgparentid = 0
    AND p.proname <> %(guard)s AND t.tgname NOT LIKE 'menshun\_capture%%'

-- name: taken
-- Which of these names something in the schema has already, or a function without arguments, and what ALTER calls it.
SELECT c.relname, CASE WHEN c.relkind IN ('i', 'I') THEN 'INDEX' WHEN c.relkind = 'v' THEN 'VIEW'
    WHEN c.relkind = 'm' THEN 'MATERIALIZED VIEW' WHEN c.relkind = 'S' THEN 'SEQUENCE' ELSE 'TABLE' END
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = ANY (%(names)s)
UNION ALL
SELECT p.proname, 'FUNCTION'
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = %(schema)s AND p.proname = ANY (%(functions)s) AND p.pronargs = 0
ORDER BY 1

-- name: prepared
-- Prepared transactions, before anything begins: at the swap, one that is there for a moment is in nobody's way.
SELECT pg_catalog.format('The prepared transaction %%L of %%s could hold its locks for ever.', p.gid, p.owner),
    pg_catalog.format('ROLLBACK PREPARED %%L, or COMMIT PREPARED.', p.gid)
FROM pg_catalog.pg_prepared_xacts p
WHERE p.database = pg_catalog.current_database()
ORDER BY 1

-- name: slots
-- Replication slots that keep WAL: nobody reads from them, or their reader is far behind.
SELECT pg_catalog.format('The replication slot %%I, %%s, keeps %%s of WAL, and will keep all that the copy writes.', s.slot_name,
        CASE WHEN s.active THEN 'whose reader is behind' ELSE 'which nobody reads' END,
        pg_catalog.pg_size_pretty(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.restart_lsn))),
    pg_catalog.format('Let its reader catch up, or drop it: SELECT pg_drop_replication_slot(%%L).', s.slot_name)
FROM pg_catalog.pg_replication_slots s
WHERE s.restart_lsn IS NOT NULL AND NOT s.temporary
    AND (NOT s.active OR pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.restart_lsn) > %(most)s)
ORDER BY 1

-- name: lock_table
-- What the room of the server's shared lock table is made of.
SELECT current_setting('max_locks_per_transaction')::int, current_setting('max_connections')::int,
    current_setting('max_prepared_transactions')::int
