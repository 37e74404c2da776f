"""The schema editor below psqlextra's. It differs from Django's for the tables of `pam` only."""

from typing import Any

from django.db import Error
from django.db.backends.postgresql import schema
from django.db.models import Field, Model

from pam.postgres.errors import MenshunError, detail, sqlstate

# PostgreSQL cuts longer names off, silently.
LONGEST_NAME = 63

DEPENDENT_OBJECTS_STILL_EXIST = "2BP01"


class DependentObjects(MenshunError):
    """A table cannot go, since something that is not ours needs it."""


class DatabaseSchemaEditor(schema.DatabaseSchemaEditor):
    """Names foreign keys by rule, and drops tables without what others have made upon them."""

    def _fk_constraint_name(self, model: type[Model], field: "Field[Any, Any]", suffix: str) -> Any:
        """`fk_<table>_<column>`: Django's own names end in a hash that no DBA could state."""
        name = f"fk_{model._meta.db_table}_{field.column}"
        if model._meta.app_label != "pam" or len(name.encode()) > LONGEST_NAME:
            return super()._fk_constraint_name(model, field, suffix)  # type: ignore[misc]  # unknown to the stubs
        return self.quote_name(name)

    def delete_model(self, model: type[Model]) -> None:
        """Drop a table, but not CASCADE: that would take the views and foreign keys of others along, in silence."""
        if model._meta.app_label != "pam":
            super().delete_model(model)
            return
        self.sql_delete_table = "DROP TABLE %(table)s"
        try:
            super().delete_model(model)
        except Error as error:
            if sqlstate(error) != DEPENDENT_OBJECTS_STILL_EXIST:
                raise
            raise DependentObjects(
                f"Something that is not ours needs the table {model._meta.db_table}, so nothing was dropped:\n"
                f"{detail(error)}\nDrop or change it first. Then run it again."
            ) from error
