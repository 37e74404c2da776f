-- What tables are made of. Each takes ACCESS SHARE on catalog tables only, and leaves out what is dropped meanwhile.

-- name: tables
-- Tables and their partitions of one level: oid, schema, name, the oid of the table it is a partition of, what it is, its
-- owner, and whether this role may alter it.
SELECT c.oid, n.nspname, c.relname, i.inhparent,
    CASE WHEN c.relkind = 'p' THEN 'partitioned by ' || pg_catalog.pg_get_partkeydef(c.oid) ELSE 'plain' END,
    pg_catalog.pg_get_userbyid(c.relowner), pg_catalog.pg_has_role(c.relowner, 'USAGE'),
    coalesce('autovacuum_enabled=false' = ANY (c.reloptions), false)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid
WHERE c.relkind IN ('r', 'p') AND (c.oid = ANY (%(tables)s) OR i.inhparent = ANY (%(tables)s))
ORDER BY c.relname

-- name: parts
-- The parts of tables: the table's oid, the part's kind and name, its definition without the names of the table and of
-- its schema, and what is wrong with it in a word, or NULL.
WITH wanted AS (
    SELECT c.oid, c.relkind
    FROM pg_catalog.pg_class c
    LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid
    WHERE c.relkind IN ('r', 'p') AND (c.oid = ANY (%(tables)s) OR i.inhparent = ANY (%(tables)s))
)
SELECT a.attrelid, 'column', a.attname::text,
    pg_catalog.format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
        || coalesce(' DEFAULT ' || pg_catalog.pg_get_expr(d.adbin, d.adrelid, true), ''),
    NULL
FROM wanted w
JOIN pg_catalog.pg_attribute a ON a.attrelid = w.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
UNION ALL
SELECT x.indrelid, 'index', c.relname::text,
    -- What comes after CREATE INDEX name ON table.
    CASE WHEN x.indisunique THEN 'UNIQUE ' ELSE '' END || pg_catalog.substr(
        pg_catalog.pg_get_indexdef(c.oid, 0, true),
        2 + pg_catalog.length(pg_catalog.format(
            'CREATE %%sINDEX %%I ON %%s%%s',
            CASE WHEN x.indisunique THEN 'UNIQUE ' ELSE '' END,
            c.relname,
            CASE WHEN c.relkind = 'I' THEN 'ONLY ' ELSE '' END,
            x.indrelid::pg_catalog.regclass
        ))
    ),
    CASE WHEN NOT x.indisvalid THEN 'INVALID' WHEN NOT x.indisready THEN 'not ready' END
FROM wanted w
JOIN pg_catalog.pg_index x ON x.indrelid = w.oid
JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid
UNION ALL
SELECT k.conrelid, 'constraint', k.conname::text,
    replace(pg_catalog.pg_get_constraintdef(k.oid, true), ' NOT VALID', ''),
    CASE WHEN NOT k.convalidated THEN 'NOT VALID' END
FROM wanted w
-- NOT NULL is the column's, though from PostgreSQL 18 on it is a constraint too.
JOIN pg_catalog.pg_constraint k ON k.conrelid = w.oid AND k.contype IN ('c', 'f', 'p', 'u', 'x')
UNION ALL
SELECT t.tgrelid, 'trigger', t.tgname::text,
    -- A function that does nothing any more is a trigger that does nothing.
    pg_catalog.substr(pg_catalog.pg_get_triggerdef(t.oid, true), pg_catalog.strpos(
        pg_catalog.pg_get_triggerdef(t.oid, true), ' ' || pg_catalog.quote_ident(t.tgname) || ' '
    ) + pg_catalog.length(pg_catalog.quote_ident(t.tgname)) + 2) || ' /* ' || pg_catalog.md5(p.prosrc) || ' */'
        || CASE t.tgenabled WHEN 'A' THEN ' ENABLE ALWAYS' ELSE '' END,
    CASE t.tgenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'for replicas only' END
FROM wanted w
JOIN pg_catalog.pg_trigger t ON t.tgrelid = w.oid AND NOT t.tgisinternal
JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
UNION ALL
SELECT s.stxrelid, 'statistics', s.stxname::text,
    pg_catalog.array_to_string(s.stxkind, ',') || ' ' || pg_catalog.pg_get_statisticsobjdef_columns(s.oid),
    NULL
FROM wanted w
JOIN pg_catalog.pg_statistic_ext s ON s.stxrelid = w.oid
