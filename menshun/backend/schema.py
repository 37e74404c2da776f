"""The schema editor below psqlextra's."""

from typing import Any

from django.db.backends.postgresql import schema
from django.db.models import Field, Model

# PostgreSQL cuts longer names off, silently.
LONGEST_NAME = 63


class DatabaseSchemaEditor(schema.DatabaseSchemaEditor):
    """Names the foreign keys of pam's tables by rule: Django's own names end in a hash that no DBA could state."""

    def _fk_constraint_name(self, model: type[Model], field: "Field[Any, Any]", suffix: str) -> Any:
        name = f"fk_{model._meta.db_table}_{field.column}"
        if model._meta.app_label != "pam" or len(name.encode()) > LONGEST_NAME:
            return super()._fk_constraint_name(model, field, suffix)  # type: ignore[misc]  # unknown to the stubs
        return self.quote_name(name)
