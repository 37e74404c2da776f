"""How the catalog shows that a step is done: queries for one bool each. Lock: none but on the catalog."""

from psycopg2 import sql

from pam.postgres.catalog import quoted


def text_of(name: sql.Identifier) -> str:
    """The quoted, qualified name as text, as regclass reads it."""
    return quoted(*name.strings)


def oid(name: sql.Identifier) -> sql.Composed:
    """The oid of the table or index of this name, or NULL."""
    return sql.SQL("pg_catalog.to_regclass({})").format(sql.Literal(text_of(name)))


def exists(name: sql.Identifier) -> sql.Composed:
    """There is a table or index of this name."""
    return sql.SQL("SELECT {} IS NOT NULL").format(oid(name))


def is_gone(name: sql.Identifier) -> sql.Composed:
    """There is no table or index of this name."""
    return sql.SQL("SELECT {} IS NULL").format(oid(name))


def has_constraint(table: sql.Identifier, name: str, *, validated: bool = False) -> sql.Composed:
    """The table has the constraint; `validated`: and all its rows were found to keep it."""
    return sql.SQL(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = {} AND k.conname = {}{})"
    ).format(oid(table), sql.Literal(name), sql.SQL(" AND k.convalidated" if validated else ""))


def has_function(name: sql.Identifier) -> sql.Composed:
    """There is a function of this name that takes nothing."""
    return sql.SQL("SELECT pg_catalog.to_regprocedure({}) IS NOT NULL").format(sql.Literal(f"{text_of(name)}()"))


def has_trigger(table: sql.Identifier, name: str, function: sql.Identifier | None = None) -> sql.Composed:
    """The table has the trigger; `function`: and it runs this one, which takes nothing."""
    runs_it: sql.Composable = sql.SQL("")
    if function:
        runs_it = sql.SQL(" AND t.tgfoid = pg_catalog.to_regprocedure({})").format(
            sql.Literal(f"{text_of(function)}()")
        )
    return sql.SQL(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = {} AND t.tgname = {}{})"
    ).format(oid(table), sql.Literal(name), runs_it)


def is_partition_of(parent: sql.Identifier, partition: sql.Identifier) -> sql.Composed:
    """The one is attached to the other."""
    return sql.SQL(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = {} AND i.inhrelid = {})"
    ).format(oid(parent), oid(partition))


def is_vacuumed(table: sql.Identifier) -> sql.Composed:
    """Its visibility map says of some page that all may see it, or it has no page."""
    return sql.SQL(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = {}"
        " AND (c.relallvisible > 0 OR pg_catalog.pg_relation_size(c.oid) = 0))"
    ).format(oid(table))


def is_analyzed(table: sql.Identifier) -> sql.Composed:
    """It and each of its partitions that has a page has statistics of its columns; a number of rows is no proof of
    it, since VACUUM writes that too."""
    # From the few tables that are asked about, and only where it matters: joined, the statistics of the whole database
    # would be gone through, for each month.
    return sql.SQL(
        "SELECT NOT EXISTS (SELECT FROM (SELECT {oid} AS oid UNION ALL SELECT i.inhrelid FROM pg_catalog.pg_inherits i"
        " WHERE i.inhparent = {oid}) one JOIN pg_catalog.pg_class c ON c.oid = one.oid"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE CASE WHEN CASE c.relkind WHEN 'p' THEN EXISTS (SELECT FROM {table})"
        " ELSE pg_catalog.pg_relation_size(c.oid) > 0 END THEN NOT EXISTS (SELECT FROM pg_catalog.pg_stats s"
        " WHERE s.schemaname = n.nspname AND s.tablename = c.relname) ELSE false END)"
    ).format(oid=oid(table), table=table)


def is_partitioned(table: sql.Identifier, *, wanted: bool) -> sql.Composed:
    """It is a partitioned table, or a plain one."""
    return sql.SQL("SELECT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = {} AND c.relkind = {})").format(
        oid(table), sql.Literal("p" if wanted else "r")
    )


def no_row(table: sql.Identifier, where: str = "true") -> sql.Composed:
    """No row of a working table fulfils the condition."""
    return sql.SQL("SELECT NOT EXISTS (SELECT FROM {} WHERE {})").format(table, sql.SQL(where))
