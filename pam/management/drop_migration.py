"""A migration that drops indexes concurrently, and brings them back as it is reversed."""

import ast
import inspect
from collections.abc import Sequence
from pathlib import Path

from django.apps import apps
from django.core.management import CommandError
from django.db import models
from django.db.migrations import Migration
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.writer import MigrationWriter

from pam.monitoring.declared_indexes import APP, Declared
from pam.postgres.operations import RemoveIndexConcurrently

CLASS_LINE = "class Migration(migrations.Migration):\n"


def write_drop_migration(loader: MigrationLoader, drops: Sequence[tuple[Declared, str]]) -> Path:
    """Write the next migration of the app, which drops these indexes, each for the reason beside it; returns its file.

    It follows all that is there. Never overwrites a file: raises CommandError.
    """
    leaves = loader.graph.leaf_nodes(APP)
    numbers = [MigrationAutodetector.parse_number(name) or 0 for app, name in loader.disk_migrations if app == APP]
    operations = [RemoveIndexConcurrently(one.model, one.index) for one, _ in drops]
    migration = type("Migration", (Migration,), {"dependencies": leaves, "operations": operations})("unnamed", APP)
    migration.name = f"{max(numbers, default=0) + 1:04}_{migration.suggest_name()}"
    writer = MigrationWriter(migration)
    file = Path(writer.path)
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(_text(writer, [f"{one.index}: {reason}" for one, reason in drops]))
    except OSError as error:
        raise CommandError(f"The migration cannot be written: {error}. Nothing was changed.") from error
    return file


def place_in_model(one: Declared) -> str:
    """Where the model declares the index: file and lines, as far as its source says."""
    model = apps.get_model(APP, one.model)
    for owner in inspect.getmro(model):
        if issubclass(owner, models.Model) and owner is not models.Model and (place := _place(owner, one.index)):
            return place
    return f"{model.__module__}, {model.__name__}.Meta.indexes"


def _text(writer: MigrationWriter, reasons: Sequence[str]) -> str:
    """Django's text of a migration, with the reasons above the class, and not in a transaction, which it cannot say."""
    comments = "".join(f"# {' '.join(reason.split())}\n" for reason in reasons)
    before, after = writer.as_string().split(CLASS_LINE)
    return f"{before}{comments}{CLASS_LINE}    atomic = False\n{after}"


def _place(owner: type, index: str) -> str | None:
    file = inspect.getsourcefile(owner)
    if file is None:
        return None
    for node in ast.walk(ast.parse(Path(file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and any(
            word.arg == "name" and isinstance(word.value, ast.Constant) and word.value.value == index
            for word in node.keywords
        ):
            lines = f"{node.lineno}" if node.lineno == node.end_lineno else f"{node.lineno}-{node.end_lineno}"
            path = Path(file)
            return f"{path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}:{lines}"
    return None
