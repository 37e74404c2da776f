"""The 17 advanced indexes are those of the document, on plain tables now and on partitioned ones."""

import re
from importlib import import_module

import pytest
from django.apps import apps
from django.db import connections
from django.db.migrations.loader import MigrationLoader

from tests.support.document import INDEXES

PHASE2 = import_module("pam.migrations.0004_phase2_advanced_indexes").Migration
TABLES = sorted({definition.split()[0] for definition in INDEXES.values()})


def definitions(alias: str, schema: str) -> dict[str, str]:
    """What the server says of each index of the schema, without the schema's name."""
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = %s", [schema])
        return {name: text.replace(f"{schema}.", "") for name, text in cursor.fetchall()}


def twin(alias: str, spelling) -> dict[str, str]:
    """The document's statements, run by hand on tables of the same columns in a schema of their own."""
    with connections[alias].cursor() as cursor:
        cursor.execute("DROP SCHEMA IF EXISTS twin CASCADE; CREATE SCHEMA twin")
        for table in TABLES:
            cursor.execute(f"CREATE TABLE twin.{table} (LIKE public.{table})")
        for name, definition in INDEXES.items():
            cursor.execute(f"CREATE INDEX {name} ON twin.{spelling(definition)}")
    return definitions(alias, "twin")


def plainly(definition: str) -> str:
    """The schema's spelling of the document's conditions: `is_active` for `is_active = true`, NOT for `= false`."""
    return re.sub(r"(\w+) = false", r"NOT \1", re.sub(r"(\w+) = true", r"\1", definition))


def test_there_are_17():
    assert len(INDEXES) == 17
    assert [operation.index.name for operation in PHASE2.operations] == list(INDEXES)


def test_plain_tables(phase2):
    ours = {name: text for name, text in definitions(phase2, "public").items() if name in INDEXES}
    assert ours == twin(phase2, plainly)
    assert_all_valid(phase2, "public")


def test_the_documents_spelling_is_accepted_by_the_server_as_the_same(phase2):
    """`is_active = true` is stored as it is written; but for that, the two are the same to the letter."""

    def without_brackets(text: str) -> str:
        return re.sub("[()]", "", text)

    ours = {name: without_brackets(text) for name, text in definitions(phase2, "public").items() if name in INDEXES}
    by_document = twin(phase2, str)
    assert by_document != twin(phase2, plainly)
    assert ours == {name: plainly(without_brackets(text)) for name, text in by_document.items()}


def test_partitioned_tables(phase2):
    """The same migration's operations on throw-away tables of the same columns, by month."""
    by_hand = twin(phase2, plainly)
    connection = connections[phase2]
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA months")
        for table in TABLES:
            time = "timestamp" if table == "audit_logs" else "created_at"
            cursor.execute(f"CREATE TABLE months.{table} (LIKE public.{table}) PARTITION BY RANGE ({time})")
            for month, end in (("2026_01", "2026-02-01"), ("2026_02", "2026-03-01")):
                cursor.execute(
                    f"CREATE TABLE months.{table}_{month} PARTITION OF months.{table}"
                    f" FOR VALUES FROM ('{month.replace('_', '-')}-01 00:00+00') TO ('{end} 00:00+00')"
                )
        cursor.execute("SET search_path = months, public")
    apply(phase2)
    ours = definitions(phase2, "months")
    assert {name: text.replace("ONLY ", "") for name, text in ours.items() if name in INDEXES} == by_hand
    for name, text in by_hand.items():
        table = INDEXES[name].split()[0]
        for month in ("2026_01", "2026_02"):
            expected = text.replace(f"INDEX {name} ON {table}", f"INDEX {name}_{month} ON {table}_{month}")
            assert ours[f"{name}_{month}"] == expected
    assert len(ours) == 3 * 17
    assert_all_valid(phase2, "months")


def apply(alias: str) -> None:
    """Run the operations of phase 2's migration on whatever tables the search_path shows."""
    connection = connections[alias]
    state = MigrationLoader(connection).project_state(("pam", "0003_phase2_trigram_extension"))
    with connection.schema_editor(atomic=False) as editor:
        for operation in PHASE2.operations:
            before = state.clone()
            operation.state_forwards("pam", state)
            operation.database_forwards("pam", editor, before, state)


def assert_all_valid(alias: str, schema: str) -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT x.indexrelid::regclass::text FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid"
            " WHERE c.relnamespace = %s::regnamespace AND NOT x.indisvalid",
            [schema],
        )
        assert cursor.fetchall() == []


@pytest.mark.parametrize("name", INDEXES)
def test_models_state_the_same_indexes(name):
    stated = {index.name: index for model in apps.get_app_config("pam").get_models() for index in model._meta.indexes}
    built = next(operation.index for operation in PHASE2.operations if operation.index.name == name)
    assert stated[name] == built
