"""`pam_indexes --write-migration`: the migration drops what nobody needs while everybody works, and brings it back."""

import importlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db.migrations import Migration
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import AddIndex
from django.db.migrations.questioner import NonInteractiveMigrationQuestioner
from django.db.migrations.state import ProjectState

import pam.migrations
from pam.management.drop_migration import place_in_model
from pam.monitoring.declared_indexes import Declared
from tests.support.clients import Client, found
from tests.support.indexes import index_validity
from tests.support.pam_indexes import document, ran, run
from tests.support.threads import writers

PACKAGE = "copied_migrations"
LAST = max(path.stem for path in Path(pam.migrations.__file__).parent.glob("0*.py"))
PLAIN, PARTITIONED = "ix_credentials_usage", "ix_sessions_geographic"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings) -> Iterator[Path]:
    """A copy of the app's migrations, which the app uses in the meantime."""
    folder = tmp_path / PACKAGE
    shutil.copytree(Path(pam.migrations.__file__).parent, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.syspath_prepend(str(tmp_path))
    settings.MIGRATION_MODULES = {"pam": PACKAGE}
    settings.PAM_UNUSED_INDEX_DAYS = 0
    yield folder
    for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
        del sys.modules[name]


def written(alias: str) -> tuple[Path, str]:
    """The file that the command wrote, and what it printed."""
    text, error, code = ran(alias, write_migration=True)
    assert (error, code) == ("", 0), text
    (line,) = (line for line in text.splitlines() if line.startswith("Written: "))
    importlib.invalidate_caches()
    return Path(line.removeprefix("Written: ")), text


def proposed(alias: str) -> set[str]:
    return {
        one["subject"].removeprefix("public.") for one in document(alias)["findings"] if one["id"] == "index-unused"
    }


def definitions(alias: str) -> dict[str, str]:
    return dict(run(alias, "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"))


def parts_of(alias: str, names: set[str]) -> set[str]:
    """The indexes of partitions that these consist of."""
    pairs = run(
        alias,
        "SELECT parent.relname, part.relname FROM pg_inherits i JOIN pg_class parent ON parent.oid = i.inhparent"
        " JOIN pg_class part ON part.oid = i.inhrelid WHERE parent.relkind = 'I'",
    )
    return {part for parent, part in pairs if parent in names}


def test_it_applies_and_reverses_under_writers(migrated, package):
    names = proposed(migrated)
    assert {PLAIN, PARTITIONED} <= names
    before = definitions(migrated)
    file, text = written(migrated)
    assert file.parent == package
    assert file.name.startswith(f"{int(LAST[:4]) + 1:04}_remove_")
    parts = parts_of(migrated, names)
    assert len(parts) > 6
    clients = [Client(migrated, f"client-{number}") for number in range(3)]
    with writers(3, lambda writer, number: clients[writer].step(number)):
        call_command("migrate", "pam", database=migrated, verbosity=0)
        assert definitions(migrated).keys() == before.keys() - names - parts
        call_command("migrate", "pam", LAST, database=migrated, verbosity=0)
    assert definitions(migrated) == before
    assert all(index_validity(migrated, "ix_%").values())
    for client in clients:
        assert found(migrated, set(client.remembered)) == client.remembered
    assert f"pam/models/credentials.py:{line_of('credentials.py', PLAIN)}: {PLAIN}" in text


def line_of(file: str, index: str) -> int:
    """The line of the models' source that declares an index, found without parsing it."""
    lines = (Path(apps.get_app_config("pam").path) / "models" / file).read_text().splitlines()
    (number,) = (number for number, line in enumerate(lines, 1) if f'name="{index}"' in line)
    return number


def test_its_text(migrated, package):
    unused = [one["subject"].removeprefix("public.") for one in document(migrated)["findings"]]
    file, _ = written(migrated)
    text = file.read_text()
    assert "    atomic = False\n" in text
    assert f"('pam', '{LAST}')" in text
    assert f"# {PLAIN}: no scan since 20" in text
    assert "pam.postgres.operations.remove_index.RemoveIndexConcurrently(\n" in text
    module = importlib.import_module(f"{PACKAGE}.{file.stem}")
    assert issubclass(module.Migration, Migration)
    assert sorted(operation.name for operation in module.Migration.operations) == sorted(unused)


def test_without_the_lines_of_the_models_makemigrations_is_silent_and_with_them_it_is_not(migrated, package):
    before = proposed(migrated)
    written(migrated)
    loader = MigrationLoader(None)
    models = ProjectState.from_apps(apps)

    def changes() -> list[AddIndex]:
        detector = MigrationAutodetector(loader.project_state(), models, NonInteractiveMigrationQuestioner())
        found = detector.changes(graph=loader.graph).get("pam", [])
        operations = [operation for migration in found for operation in migration.operations]
        added = [operation for operation in operations if isinstance(operation, AddIndex)]
        assert added == operations
        return added

    wanted = changes()
    assert {operation.index.name for operation in wanted} == before
    for operation in wanted:
        models.remove_index("pam", operation.model_name_lower, operation.index.name)
    assert changes() == []


def test_a_second_one_names_the_first_until_it_is_applied(migrated, package):
    file, _ = written(migrated)
    text, error, code = ran(migrated, write_migration=True)
    assert error.startswith("No migration is written: of the indexes that models declare, none is proposed")
    assert code == 1
    assert f"Do: python manage.py migrate --database migrated  # {file.stem} drops it" in text
    assert [one.name for one in package.glob("*_remove_*")] == [file.name]
    assert not list(package.glob(f"{int(LAST[:4]) + 2:04}*"))
    call_command("migrate", "pam", database=migrated, verbosity=0)
    assert proposed(migrated) == set()


def test_nothing_is_proposed(migrated, package, settings):
    settings.PAM_UNUSED_INDEX_DAYS = 30
    text, error, code = ran(migrated, write_migration=True)
    assert error.startswith("No migration is written")
    assert "counters-too-young" in text
    assert code == 1
    assert not list(package.glob("*_remove_*"))


def test_an_index_that_no_model_declares_goes_by_hand(migrated, package):
    run(
        migrated,
        "CREATE INDEX by_hand ON credentials (vault_version)",
        'CREATE INDEX "so\nDROP TABLE sessions" ON sessions (user_agent)',
    )
    file, text = written(migrated)
    assert "by_hand" not in file.read_text()
    assert "no model declares it: public.by_hand. By hand: DROP INDEX CONCURRENTLY public.by_hand; -- it was: " in text
    (last,) = (part for part in text.split("Not in it") if '"so' in part and "By hand" in part)
    statement, comment = last.split("By hand: ")[1].split("; -- ")
    assert statement == 'DROP INDEX public."so\nDROP TABLE sessions"'
    assert comment.startswith('stops all for a moment; it was: CREATE INDEX "so DROP TABLE sessions" ON ')


def test_a_file_is_never_overwritten(migrated, package, monkeypatch):
    file, _ = written(migrated)
    kept = file.read_text()
    # As if two people wrote theirs at once: the second one's loader has not seen the first one's file.
    load = MigrationLoader.load_disk

    def without_it(self: MigrationLoader) -> None:
        load(self)
        del self.disk_migrations["pam", file.stem]

    monkeypatch.setattr(MigrationLoader, "load_disk", without_it)
    _, error, code = ran(migrated, write_migration=True)
    assert "File exists" in error
    assert error.endswith("Nothing was changed.")
    assert code == 1
    assert file.read_text() == kept


def test_where_a_model_declares_it():
    assert place_in_model(Declared("credential", PLAIN)) == (
        f"pam/models/credentials.py:{line_of('credentials.py', PLAIN)}"
    )
    first = line_of("sessions.py", "ix_sessions_expiry_cleanup_partial") - 2
    assert place_in_model(Declared("session", "ix_sessions_expiry_cleanup_partial")) == (
        f"pam/models/sessions.py:{first}-{first + 4}"
    )
    assert place_in_model(Declared("session", "ix_made_by_a_function")) == "pam.models.sessions, Session.Meta.indexes"
