"""Everything the catalog says of a schema, but for oids, files, statistics and the order of its making."""

from typing import Any

from django.db import connections

DESCRIBED = """
WITH ours AS (
    SELECT c.*, c.oid::regclass::text AS name FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
)
SELECT 'class', name, concat_ws(' ', relkind, relreplident, relrowsecurity, relpersistence, relowner::regrole,
    relforcerowsecurity, spcname, reloptions, coalesce(relacl, acldefault('r', relowner))),
    concat_ws(' ', pg_get_expr(relpartbound, ours.oid),
        (SELECT toast.reloptions FROM pg_class toast WHERE toast.oid = ours.reltoastrelid)),
    obj_description(ours.oid, 'pg_class')
FROM ours LEFT JOIN pg_tablespace s ON s.oid = reltablespace
UNION ALL SELECT 'column', name || '.' || attname, concat_ws(' ', format_type(atttypid, atttypmod), attnotnull,
    attstorage, attcompression, attstattarget,
    -- Not what the server keeps among them for itself, such as pg_attver of 15.20.
    ARRAY(SELECT o FROM unnest(attoptions) o WHERE NOT starts_with(o, 'pg_')),
    attacl, attislocal, attinhcount, attgenerated, attidentity),
    pg_get_expr(adbin, adrelid), col_description(attrelid, attnum)
FROM ours JOIN pg_attribute ON attrelid = ours.oid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE attnum > 0 AND NOT attisdropped
UNION ALL SELECT 'constraint', name || '.' || conname, pg_get_constraintdef(k.oid),
    concat_ws(' ', convalidated, conislocal, coninhcount, condeferrable, condeferred, connoinherit),
    obj_description(k.oid, 'pg_constraint')
FROM ours JOIN pg_constraint k ON conrelid = ours.oid
UNION ALL SELECT 'index', indexrelid::regclass::text, pg_get_indexdef(indexrelid),
    concat_ws(' ', indisvalid, indisprimary, indisunique, indimmediate, indisclustered, indisreplident,
    parent.inhparent::regclass, spcname,
        (SELECT array_agg(attstattarget ORDER BY attnum) FROM pg_attribute WHERE attrelid = indexrelid)),
    obj_description(indexrelid, 'pg_class')
FROM ours JOIN pg_index ON indrelid = ours.oid JOIN pg_class file ON file.oid = indexrelid
LEFT JOIN pg_tablespace s ON s.oid = file.reltablespace LEFT JOIN pg_inherits parent ON parent.inhrelid = indexrelid
UNION ALL SELECT 'trigger', name || '.' || tgname, pg_get_triggerdef(t.oid), tgenabled::text,
    concat_ws(' ', (tgparentid <> 0)::text, obj_description(t.oid, 'pg_trigger'))
FROM ours JOIN pg_trigger t ON tgrelid = ours.oid WHERE NOT tgisinternal
UNION ALL SELECT 'function', oid::regprocedure::text, md5(prosrc), NULL, NULL
FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
UNION ALL SELECT 'statistics', stxname, pg_get_statisticsobjdef(s.oid), stxowner::regrole::text,
    obj_description(s.oid, 'pg_statistic_ext')
FROM pg_statistic_ext s
ORDER BY 1, 2
"""


def described(alias: str) -> list[tuple[Any, ...]]:
    """One row for each table, column, constraint, index, trigger, function and statistics of the schema `public`."""
    with connections[alias].cursor() as cursor:
        cursor.execute(DESCRIBED)
        return list(cursor.fetchall())
