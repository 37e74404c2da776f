"""What `sqlmigrate` prints: each statement under a comment that names its lock, in the order of execution."""

from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from pam.postgres.locks import HOUR_MS, reset_statements, timeout_statements


def show(schema_editor: BaseDatabaseSchemaEditor, statement: str, *comments: str) -> None:
    """Add a statement and the comments above it to what `sqlmigrate` prints. Executes nothing."""
    for comment in comments:
        schema_editor.collected_sql.append(f"-- {comment}")
    schema_editor.execute(statement, params=None)


def show_build(schema_editor: BaseDatabaseSchemaEditor, statement: str, table: str, name: str) -> None:
    """Print a concurrent build as it runs in the plain case: no index of this name yet, a table without partitions."""
    show_session_timeouts(schema_editor)
    show(
        schema_editor,
        statement,
        f"Lock: SHARE UPDATE EXCLUSIVE on {table} for the whole build, which grows with rows. No reader or writer",
        "waits; other DDL and VACUUM of this table do. The build itself waits for transactions older than itself.",
        f"The plain case is shown. An INVALID {name} is dropped concurrently first, a valid one is accepted;",
        "a partitioned table gets it ON ONLY the parent, then concurrently on each partition, then ATTACH PARTITION.",
    )
    show_session_reset(schema_editor)


def show_build_of_view(schema_editor: BaseDatabaseSchemaEditor, statement: str, view: str) -> None:
    """Print the build of an index of a materialized view that has none of this name yet."""
    show_session_timeouts(schema_editor)
    show(
        schema_editor,
        statement,
        f"Lock: SHARE on {view} for the whole build, which grows with rows. No reader waits; a refresh does.",
    )
    show_session_reset(schema_editor)


def show_drop(schema_editor: BaseDatabaseSchemaEditor, table: str, name: str) -> None:
    """Print a concurrent drop as it runs in the plain case: a table without partitions."""
    show_session_timeouts(schema_editor)
    show(
        schema_editor,
        f"DROP INDEX CONCURRENTLY IF EXISTS {name}",
        f"Lock: SHARE UPDATE EXCLUSIVE on {table}; does not grow with rows. No reader or writer waits; it waits",
        "itself for older transactions on this table. The plain case is shown: on a partitioned table the server has",
        "no concurrent way, and DROP INDEX runs in a short transaction with ACCESS EXCLUSIVE on the table and its",
        "partitions.",
    )
    show_session_reset(schema_editor)


def show_session_timeouts(schema_editor: BaseDatabaseSchemaEditor, lock_ms: int = HOUR_MS) -> None:
    """Print the timeouts that hold around a long statement."""
    lock_timeout, statement_timeout = timeout_statements(lock_ms)
    show(schema_editor, lock_timeout, "Lock: none. Bounds each wait for a lock or an older transaction (milliseconds).")
    show(schema_editor, statement_timeout, "Lock: none. A role's timeout for queries must not cut a build in half.")


def show_session_reset(schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Print the end of `show_session_timeouts`."""
    for statement in reset_statements():
        show(schema_editor, statement, "Lock: none.")
