"""TrigramExtension: pg_trgm comes and goes, but only if it is ours to take away."""

from logging import getLogger

from django.contrib.postgres import operations
from django.db import Error, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import ProjectState

from pam.postgres import catalog
from pam.postgres.catalog import Extension
from pam.postgres.errors import INSUFFICIENT_PRIVILEGE, NEXT, MenshunError, detail, sqlstate
from pam.postgres.operations import reviewed_sql

logger = getLogger("pam.migrations")

NOT_INSTALLED_ON_SERVER = ("0A000", "58P01")
DEPENDENT_OBJECTS_STILL_EXIST = "2BP01"

# The comment that tells an extension we made from one that was there before; pg_dump carries it.
OURS = "text similarity by trigrams; created by a migration of menshun, which drops it on the way back"


# What runs is decided step by step; this is the same in one statement, for who runs it by hand.
CREATE_AND_MARK = """\
DO $block$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = '{literal}') THEN
        CREATE EXTENSION {extension};
        {mark};
    END IF;
END
$block$"""


class ExtensionRefused(MenshunError):
    """The extension could not be made, or cannot be used from here."""


class TrigramExtension(operations.TrigramExtension):
    """Django's operation, whose way back leaves an extension that was there before or that something else uses.

    Locks: none on any table. Raises ExtensionRefused.
    """

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        if not router.allow_migrate(schema_editor.connection.alias, app_label):
            return
        name = schema_editor.quote_name(self.name)
        if schema_editor.collect_sql:
            reviewed_sql.show(
                schema_editor,
                CREATE_AND_MARK.format(extension=name, literal=self.name, mark=self._mark(name)),
                "Lock: none on any table. An extension that is there is left as it is, and unmarked.",
            )
        else:
            self._create(schema_editor, name)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        if not router.allow_migrate(schema_editor.connection.alias, app_label):
            return
        statement = f"DROP EXTENSION {schema_editor.quote_name(self.name)}"
        if schema_editor.collect_sql:
            reviewed_sql.show(
                schema_editor,
                statement,
                "Lock: none on any table. The plain case is shown: an extension that was there before this project,",
                "or that something else uses, is left.",
            )
        else:
            self._drop(schema_editor, statement)

    def _create(self, schema_editor: BaseDatabaseSchemaEditor, name: str) -> None:
        connection = schema_editor.connection
        found = catalog.extension(connection, self.name)
        if found is None:
            try:
                schema_editor.execute(f"CREATE EXTENSION {name}", params=None)
            except Error as error:
                raise self._refused(error) from error
            schema_editor.execute(self._mark(name), params=None)
            return
        if not found.is_visible:
            raise self._out_of_sight(connection, found)
        if found.comment != OURS:
            logger.info("%s: was there before; it stays as it is, also on the way back", self.name)

    def _out_of_sight(self, connection: BaseDatabaseWrapper, found: Extension) -> ExtensionRefused:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('search_path')")
            path = f"{cursor.fetchone()[0]}, {connection.ops.quote_name(found.schema)}"
        return ExtensionRefused(
            f"The extension {self.name} is in the schema {found.schema}, which is not in this session's search_path. "
            f"Make the path: {path} where it is set, in DATABASE_URL (?options=-csearch_path%3D...) or by ALTER ROLE. "
            f"{NEXT}"
        )

    def _refused(self, error: Error) -> ExtensionRefused:
        if sqlstate(error) == INSUFFICIENT_PRIVILEGE:
            return ExtensionRefused(
                f"This role may not create the extension {self.name}. Let the database's owner or a superuser run, in "
                f"this database: CREATE EXTENSION {self.name}; or GRANT CREATE ON DATABASE to this role. {NEXT}"
            )
        if sqlstate(error) in NOT_INSTALLED_ON_SERVER:
            return ExtensionRefused(
                f"The server does not have the extension {self.name}. Install PostgreSQL's contrib package for its "
                f"version there. {NEXT}"
            )
        return ExtensionRefused(f"The extension {self.name} could not be created: {str(error).strip()} {NEXT}")

    def _drop(self, schema_editor: BaseDatabaseSchemaEditor, statement: str) -> None:
        connection = schema_editor.connection
        extension = catalog.extension(connection, self.name)
        if extension is None:
            return
        if extension.comment != OURS:
            logger.warning("%s: was there before this project; it stays", self.name)
            return
        try:
            with transaction.atomic(using=connection.alias):
                schema_editor.execute(statement, params=None)
        except Error as error:
            if sqlstate(error) != DEPENDENT_OBJECTS_STILL_EXIST:
                raise
            logger.warning("%s: something else uses it, so it stays: %s", self.name, detail(error))

    def _mark(self, name: str) -> str:
        return f"COMMENT ON EXTENSION {name} IS '{OURS}'"
