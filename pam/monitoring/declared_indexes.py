"""The indexes that models declare, as the migrations know them: an operation can drop these."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import RemoveIndex

APP = "pam"


@dataclass(frozen=True)
class Declared:
    """An index of the migrations' state: the name of its model, and its own."""

    model: str
    index: str


def declared_indexes(loader: MigrationLoader) -> Mapping[tuple[str, str], Declared]:
    """The indexes that exist once all migrations are applied, by table and name. An operation can drop these."""
    state = loader.project_state()
    return {
        (model.options.get("db_table", f"{APP}_{name}"), index.name): Declared(name, index.name)
        for (app, name), model in state.models.items()
        if app == APP
        for index in model.options.get("indexes", ())
    }


def awaited_drops(loader: MigrationLoader) -> Mapping[str, str]:
    """The indexes that a migration drops which is not applied yet, by name, with the migration's name."""
    return {
        operation.name: key[1]
        for key, migration in loader.disk_migrations.items()
        if key[0] == APP and key not in loader.applied_migrations
        for operation in migration.operations
        if isinstance(operation, RemoveIndex)
    }
