-- What a table looks like, read before it is moved. Each takes ACCESS SHARE on catalog tables only.

-- name: columns
-- The columns, in order: name, type, generated or identity, statistics target, and options such as n_distinct, without
-- what the server keeps among them for itself (from 15.20 on pg_attver, which says when a column was made).
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attgenerated::text, a.attidentity::text,
    coalesce(a.attstattarget, -1)::int,
    ARRAY(SELECT o FROM pg_catalog.unnest(a.attoptions) o WHERE NOT pg_catalog.starts_with(o, 'pg_'))
FROM pg_catalog.pg_attribute a
WHERE a.attrelid = %(table)s AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum

-- name: indexes
-- The indexes that are not INVALID, which an interrupted build left and its migration builds anew: name, constraint
-- type (p, u or nothing), key columns, NULLS NOT DISTINCT, its comment and that of its constraint, and the definition
-- in two parts: the text before the method (exactly what the server writes there) and the rest.
SELECT c.relname, coalesce(k.contype::text, ''), x.indisunique, x.indnullsnotdistinct,
    ARRAY(
        SELECT a.attname::text FROM pg_catalog.unnest(x.indkey::smallint[]) WITH ORDINALITY AS part (attnum, position)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = part.attnum
        WHERE part.position <= x.indnkeyatts
        ORDER BY part.position
    ),
    pg_catalog.obj_description(c.oid, 'pg_class'), pg_catalog.obj_description(k.oid, 'pg_constraint'),
    pg_catalog.format('CREATE %%sINDEX %%I ON %%s%%I.%%I ', CASE WHEN x.indisunique THEN 'UNIQUE ' END, c.relname,
        CASE WHEN t.relkind = 'p' THEN 'ONLY ' END, n.nspname, t.relname),
    pg_catalog.pg_get_indexdef(c.oid)
FROM pg_catalog.pg_index x
JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid
JOIN pg_catalog.pg_class t ON t.oid = x.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = c.oid AND k.conrelid = t.oid AND k.contype IN ('p', 'u')
WHERE x.indrelid = %(table)s AND x.indisvalid
ORDER BY x.indisprimary DESC, c.relname

-- name: foreign_keys
-- The foreign keys of its own, not its parent's: name, definition, comment, columns, those they reference, and the table.
SELECT k.conname, pg_catalog.pg_get_constraintdef(k.oid), pg_catalog.obj_description(k.oid, 'pg_constraint'),
    ARRAY(
        SELECT a.attname::text FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY AS part (attnum, position)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = part.attnum
        ORDER BY part.position
    ),
    ARRAY(
        SELECT a.attname::text FROM pg_catalog.unnest(k.confkey) WITH ORDINALITY AS part (attnum, position)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = part.attnum
        ORDER BY part.position
    ),
    r.oid, n.nspname, r.relname, r.relkind
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class r ON r.oid = k.confrelid
JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
WHERE k.conrelid = %(table)s AND k.contype = 'f' AND k.conparentid = 0
ORDER BY r.oid, k.conname

-- name: followed
-- The tables whose triggers run the function, as a relation each.
SELECT c.oid, n.nspname, c.relname, c.relkind
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE t.tgfoid = pg_catalog.to_regprocedure(%(function)s) AND t.tgparentid = 0
ORDER BY c.oid

-- name: triggers
-- The triggers that are not internal, not ours for the time of a move, and not a clone: name, for each row, enabled,
-- comment, function, and the definition before and after the table's name.
SELECT t.tgname, t.tgtype & 1 = 1, t.tgenabled::text, pg_catalog.obj_description(t.oid, 'pg_trigger'), p.proname,
    pg_catalog.pg_get_triggerdef(t.oid), pg_catalog.format(' ON %%I.%%I ', n.nspname, c.relname)
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
WHERE t.tgrelid = %(table)s AND NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgname NOT LIKE 'menshun\_capture%%'
ORDER BY t.tgname

-- name: grants
-- The privileges on the table and on its columns: privilege, column or nothing, grantee or nothing for PUBLIC, and
-- whether it may be passed on. Where a table that is made now would not get the privileges that every table has unless
-- somebody says otherwise, those are named too.
SELECT g.privilege_type, g.attname, r.rolname, g.is_grantable
FROM (
    SELECT e.privilege_type, NULL AS attname, e.grantee, e.is_grantable
    FROM pg_catalog.pg_class c, pg_catalog.aclexplode(coalesce(c.relacl, (
        SELECT pg_catalog.acldefault('r', c.relowner) FROM pg_catalog.pg_default_acl d
        WHERE d.defaclrole = (SELECT u.oid FROM pg_catalog.pg_roles u WHERE u.rolname = current_user) AND d.defaclobjtype = 'r' AND d.defaclnamespace IN (0, c.relnamespace)
        LIMIT 1
    ))) e
    WHERE c.oid = %(table)s
    UNION ALL
    SELECT e.privilege_type, a.attname, e.grantee, e.is_grantable
    FROM pg_catalog.pg_attribute a, pg_catalog.aclexplode(a.attacl) e
    WHERE a.attrelid = %(table)s AND NOT a.attisdropped
) g
LEFT JOIN pg_catalog.pg_roles r ON r.oid = g.grantee
ORDER BY 2 NULLS FIRST, 3, 1

-- name: revoked
-- Who must lose what he has on a table that is made now before the grants above are given: its owner, PUBLIC, and whom
-- ALTER DEFAULT PRIVILEGES names. Nobody, where the table was never granted and nothing but the server's default is.
SELECT DISTINCT r.rolname
FROM pg_catalog.pg_class c
LEFT JOIN pg_catalog.pg_default_acl d ON d.defaclrole = (SELECT u.oid FROM pg_catalog.pg_roles u WHERE u.rolname = current_user) AND d.defaclobjtype = 'r'
    AND d.defaclnamespace IN (0, c.relnamespace)
LEFT JOIN LATERAL pg_catalog.aclexplode(d.defaclacl) e ON true
LEFT JOIN pg_catalog.pg_roles r ON r.oid IN (e.grantee, c.relowner) OR r.rolname = current_user
WHERE c.oid = %(table)s AND (c.relacl IS NOT NULL OR d.oid IS NOT NULL)
ORDER BY 1

-- name: rest
-- Owner, comment and storage parameters, its own and its TOAST table's; those of a partitioned table are its newest
-- month's.
SELECT r.rolname, pg_catalog.obj_description(c.oid, 'pg_class'), r.rolname = current_user,
    coalesce(m.reloptions, '{}') || ARRAY(SELECT 'toast.' || option FROM pg_catalog.unnest(toast.reloptions) option)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_roles r ON r.oid = c.relowner
LEFT JOIN pg_catalog.pg_class m ON m.oid = CASE WHEN c.relkind = 'p' THEN (
        SELECT p.oid
        FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class p ON p.oid = i.inhrelid
        WHERE i.inhparent = c.oid
        ORDER BY pg_catalog.pg_get_expr(p.relpartbound, p.oid) = 'DEFAULT', p.relname DESC
        LIMIT 1
    ) ELSE c.oid END
LEFT JOIN pg_catalog.pg_class toast ON toast.oid = m.reltoastrelid
WHERE c.oid = %(table)s

-- name: fingerprint
-- A text that changes when somebody changes what a move relies on: another server, a table rewritten (its rows lie
-- elsewhere then), columns, constraints, indexes, months, owner, privileges, comments, storage parameters, or a trigger
-- switched off and on again (its row's xmin).
SELECT pg_catalog.md5(pg_catalog.concat_ws('|',
    (SELECT s.system_identifier FROM pg_catalog.pg_control_system() s),
    (SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', c.oid, pg_catalog.pg_relation_filenode(c.oid)), ',' ORDER BY c.oid)
        FROM pg_catalog.pg_class c
        WHERE c.oid = %(table)s OR c.oid IN (SELECT i.inhrelid FROM pg_catalog.pg_inherits i WHERE i.inhparent = %(table)s)),
    (SELECT pg_catalog.concat_ws(' ', c.relowner, c.relacl, c.reloptions, toast.reloptions, c.relpersistence, c.reltablespace)
        FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_class toast ON toast.oid = c.reltoastrelid
        WHERE c.oid = %(table)s),
    (SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', d.classoid, d.objoid, d.objsubid, d.description), ',' ORDER BY d.classoid, d.objoid, d.objsubid)
        FROM pg_catalog.pg_description d
        WHERE d.objoid IN (
            SELECT %(table)s::oid
            UNION ALL SELECT x.indexrelid FROM pg_catalog.pg_index x WHERE x.indrelid = %(table)s
            UNION ALL SELECT k.oid FROM pg_catalog.pg_constraint k WHERE k.conrelid = %(table)s
            UNION ALL SELECT t.oid FROM pg_catalog.pg_trigger t WHERE t.tgrelid = %(table)s)),
    (SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', a.attname, a.atttypid, a.atttypmod, a.attnotnull, a.attisdropped,
            a.attacl, ARRAY(SELECT o FROM pg_catalog.unnest(a.attoptions) o WHERE NOT pg_catalog.starts_with(o, 'pg_')),
            a.attstattarget, a.attstorage, a.attcompression, a.attcollation, a.attidentity, a.attgenerated), ',' ORDER BY a.attnum)
        FROM pg_catalog.pg_attribute a WHERE a.attrelid = %(table)s AND a.attnum > 0),
    (SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', d.adnum, pg_catalog.pg_get_expr(d.adbin, d.adrelid)), ',' ORDER BY d.adnum)
        FROM pg_catalog.pg_attrdef d WHERE d.adrelid = %(table)s),
    (SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', k.conname, pg_catalog.pg_get_constraintdef(k.oid)), ',' ORDER BY k.conname)
        FROM pg_catalog.pg_constraint k WHERE k.conrelid = %(table)s),
    (SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', pg_catalog.pg_get_indexdef(x.indexrelid), x.indisvalid), ',' ORDER BY x.indexrelid)
        FROM pg_catalog.pg_index x WHERE x.indrelid = %(table)s),
    (SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', t.tgrelid, t.tgname, t.tgenabled, t.xmin), ',' ORDER BY t.tgrelid, t.tgname)
        FROM pg_catalog.pg_trigger t
        WHERE NOT t.tgisinternal AND (t.tgrelid = %(table)s
            OR t.tgrelid IN (SELECT i.inhrelid FROM pg_catalog.pg_inherits i WHERE i.inhparent = %(table)s)))
))
