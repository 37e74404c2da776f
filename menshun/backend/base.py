"""The database wrapper; psqlextra builds its own on it (POSTGRES_EXTRA_DB_BACKEND_BASE)."""

from typing import Any

import psycopg2
from django.db.backends.postgresql import base

from menshun.backend.client import DatabaseClient
from menshun.backend.connecting import check_server, explain_failure
from menshun.backend.schema import DatabaseSchemaEditor
from menshun.backend.times import read_all_times
from menshun.embedded.server import server_of


class DatabaseWrapper(base.DatabaseWrapper):
    """Connects to PostgreSQL, starting the embedded server where the settings name one."""

    SchemaEditorClass = DatabaseSchemaEditor
    client_class = DatabaseClient

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Connect; a server that cannot be reached or used is explained in one sentence."""
        server = server_of(self.settings_dict)
        try:
            if server is not None:
                server.use()
            connection = super().get_new_connection(conn_params)
        except psycopg2.Error as error:
            raise explain_failure(error, conn_params, server) from error
        try:
            check_server(connection)
            read_all_times(connection)
        except BaseException:
            connection.close()
            raise
        return connection
