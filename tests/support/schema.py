"""Everything the catalog says of a schema, but for oids, files, statistics and the order of its making."""

from typing import Any

from django.db import connections

DESCRIBED = """
WITH ours AS (
    SELECT c.*, c.oid::regclass::text AS name FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
)
SELECT 'class', name, concat_ws(' ', relkind, relreplident, relrowsecurity, relpersistence, relowner::regrole,
    reloptions, relacl), pg_get_expr(relpartbound, oid), obj_description(oid, 'pg_class')
FROM ours
UNION ALL SELECT 'column', name || '.' || attname, concat_ws(' ', format_type(atttypid, atttypmod), attnotnull,
    attstorage, attcompression, attstattarget, attacl, attislocal, attinhcount, attgenerated, attidentity),
    pg_get_expr(adbin, adrelid), col_description(attrelid, attnum)
FROM ours JOIN pg_attribute ON attrelid = ours.oid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE attnum > 0 AND NOT attisdropped
UNION ALL SELECT 'constraint', name || '.' || conname, pg_get_constraintdef(k.oid),
    concat_ws(' ', convalidated, conislocal, coninhcount, condeferrable), NULL
FROM ours JOIN pg_constraint k ON conrelid = ours.oid
UNION ALL SELECT 'index', indexrelid::regclass::text, pg_get_indexdef(indexrelid),
    concat_ws(' ', indisvalid, indisprimary, indisunique, parent.inhparent::regclass),
    obj_description(indexrelid, 'pg_class')
FROM ours JOIN pg_index ON indrelid = ours.oid LEFT JOIN pg_inherits parent ON parent.inhrelid = indexrelid
UNION ALL SELECT 'trigger', name || '.' || tgname, pg_get_triggerdef(t.oid), tgenabled::text, (tgparentid <> 0)::text
FROM ours JOIN pg_trigger t ON tgrelid = ours.oid WHERE NOT tgisinternal
UNION ALL SELECT 'function', oid::regprocedure::text, md5(prosrc), NULL, NULL
FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
ORDER BY 1, 2
"""


def described(alias: str) -> list[tuple[Any, ...]]:
    """One row for each table, column, constraint, index, trigger and function of the schema `public`."""
    with connections[alias].cursor() as cursor:
        cursor.execute(DESCRIBED)
        return list(cursor.fetchall())
