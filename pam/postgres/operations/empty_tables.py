"""Tables for `sqlmigrate` to read on a database that has none yet."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.state import ProjectState
from django.db.models import Model


def nothing_there(connection: BaseDatabaseWrapper, app_label: str, state: ProjectState) -> bool:
    """Whether none of the app's tables exists, and this role may make them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_catalog.has_schema_privilege(pg_catalog.current_schema(), 'CREATE') AND NOT EXISTS ("
            "SELECT FROM pg_catalog.unnest(%s::text[]) AS name"
            " WHERE pg_catalog.to_regclass(pg_catalog.quote_ident(name)) IS NOT NULL)",
            [[model._meta.db_table for model in _models(app_label, state)]],
        )
        ((empty,),) = cursor.fetchall()
    return bool(empty)


@contextmanager
def made_for_a_moment(connection: BaseDatabaseWrapper, app_label: str, state: ProjectState) -> Iterator[None]:
    """The app's tables as the state has them, empty, in a transaction that is rolled back at the end of the block.

    What no model knows is not there: triggers, grants, comments. Locks: none but on these tables.
    """
    with transaction.atomic(using=connection.alias):
        with connection.schema_editor() as editor:
            for model in _models(app_label, state):
                editor.create_model(model)
        yield
        transaction.set_rollback(True, using=connection.alias)


def _models(app_label: str, state: ProjectState) -> list[type[Model]]:
    return [model for model in state.apps.get_models() if model._meta.app_label == app_label]
