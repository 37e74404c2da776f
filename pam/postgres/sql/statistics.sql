-- Extended statistics: what the planner learns of columns that go together. ACCESS SHARE on catalog tables only.

-- name: named
-- The extended statistics of one name in one schema: the table, kinds (d, f, m), columns, whether it has expressions,
-- and the statement that makes it.
SELECT s.stxrelid, s.stxkind::text[], ARRAY(
        SELECT a.attname::text FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = s.stxrelid AND a.attnum = ANY (s.stxkeys::smallint[]) ORDER BY a.attname
    ), s.stxexprs IS NOT NULL, pg_catalog.pg_get_statisticsobjdef(s.oid)
FROM pg_catalog.pg_statistic_ext s JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace
WHERE n.nspname = %(schema)s AND s.stxname = %(name)s

-- name: ours
-- The names of the extended statistics of a table that bear our mark, with their kinds and columns.
SELECT s.stxname, s.stxkind::text[], ARRAY(
        SELECT a.attname::text FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = s.stxrelid AND a.attnum = ANY (s.stxkeys::smallint[]) ORDER BY a.attname
    )
FROM pg_catalog.pg_statistic_ext s
WHERE s.stxrelid = %(table)s AND pg_catalog.obj_description(s.oid, 'pg_statistic_ext') = %(mark)s
ORDER BY 1
