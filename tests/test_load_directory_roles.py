"""`load_directory_roles`: all or nothing, any number of times, and what people edited stays theirs."""

import json
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from pam.directory_roles import AUTHOR, NEW_CATEGORY
from pam.models import DirectoryRole
from tests.support.databases import session
from tests.support.rows import make
from tests.support.threads import actor, until

pytestmark = pytest.mark.django_db


def run(*arguments: Any, **options: Any) -> str:
    output = StringIO()
    call_command("load_directory_roles", *map(str, arguments), stdout=output, **options)
    return output.getvalue()


def stored() -> list[Any]:
    return list(DirectoryRole.all_objects.order_by("template_id").values())


def role(number: int, **values: Any) -> dict[str, Any]:
    """A role as a file states it."""
    entry = {"role_name": f"Role {number}", "description": "Reads.", "is_privileged": False}
    return {"template_id": str(UUID(int=number)), **entry, **values}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "roles.json"


def write(file: Path, *entries: Any) -> Path:
    file.write_text(json.dumps(entries, indent=1))
    return file


def test_the_projects_own_roles_are_loaded() -> None:
    assert run() == "138 roles: 138 new, 0 changed, 0 unchanged, 0 gone\n"

    assert DirectoryRole.objects.count() == 138
    global_administrator = DirectoryRole.objects.get(template_id="62e90394-69f5-4237-9190-012177145e10")
    assert global_administrator.role_name == "Global Administrator"
    assert global_administrator.is_privileged
    assert global_administrator.is_built_in
    assert (global_administrator.category, global_administrator.risk_level) == (NEW_CATEGORY, "high")
    assert (global_administrator.version, global_administrator.created_by) == (1, AUTHOR)
    assert set(DirectoryRole.objects.filter(is_privileged=False).values_list("risk_level", flat=True)) == {"medium"}


def test_a_second_run_changes_nothing() -> None:
    run()
    before = stored()

    assert run() == "138 roles: 0 new, 0 changed, 138 unchanged, 0 gone\n"
    assert stored() == before


def test_a_dry_run_says_it_and_changes_nothing() -> None:
    assert run(dry_run=True) == ("138 roles: 138 new, 0 changed, 0 unchanged, 0 gone\nDry run: nothing was changed.\n")
    assert stored() == []


def test_a_renamed_role_is_changed_and_keeps_what_people_edited(file: Path) -> None:
    run(write(file, role(1), role(2)))
    DirectoryRole.objects.filter(template_id=UUID(int=1)).update(
        category="reports", risk_level="critical", requires_approval=True, is_enabled=False
    )

    said = run(write(file, role(1, role_name="New Name", description="Writes.", is_privileged=True), role(2)))

    assert said == (f"changed: New Name ({UUID(int=1)})\n2 roles: 0 new, 1 changed, 1 unchanged, 0 gone\n")
    row = DirectoryRole.objects.get(template_id=UUID(int=1))
    assert (row.role_name, row.description, row.is_privileged) == ("New Name", "Writes.", True)
    assert (row.category, row.risk_level, row.requires_approval, row.is_enabled) == ("reports", "critical", True, False)
    assert (row.version, row.updated_by) == (3, AUTHOR)
    assert DirectoryRole.objects.get(template_id=UUID(int=2)).version == 1


def test_a_dry_run_shows_what_a_run_would_do(file: Path) -> None:
    run(write(file, role(1), role(2)))
    write(file, role(1, role_name="New Name"), role(3))
    before = stored()

    would = run(file, dry_run=True)

    assert stored() == before
    assert would == run(file) + "Dry run: nothing was changed.\n"


def test_roles_that_are_gone_are_told_and_stay(file: Path) -> None:
    run(write(file, role(1), role(2)))
    make(DirectoryRole, template_id=uuid4(), is_built_in=False)

    said = run(write(file, role(2)))

    assert said == (
        f"gone from the file, kept in the table: Role 1 ({UUID(int=1)})\n"
        "1 roles: 0 new, 0 changed, 1 unchanged, 1 gone\n"
    )
    assert DirectoryRole.objects.count() == 3


def test_a_deleted_role_is_told_and_stays_as_it_is(file: Path) -> None:
    run(write(file, role(1)))
    DirectoryRole.objects.get().soft_delete()
    before = stored()

    said = run(write(file, role(1, role_name="New Name")))

    assert said == (
        f"marked as deleted in the table, not touched: Role 1 ({UUID(int=1)})\n"
        "1 roles: 0 new, 0 changed, 0 unchanged, 0 gone, 1 deleted\n"
    )
    assert stored() == before
    assert "gone: " not in run(write(file))


def test_a_broken_file_loads_nothing(file: Path) -> None:
    write(file, role(1), role(2, is_privileged="no"), {})

    with pytest.raises(CommandError) as refused:
        run(file)

    assert f"{file}:8: is_privileged must be true or false" in str(refused.value)
    assert f"{file}:14: template_id is missing" in str(refused.value)
    assert f"python manage.py load_directory_roles {file}" in str(refused.value)
    assert stored() == []


@pytest.mark.parametrize("name", ["nowhere.json", "."])
def test_a_file_that_cannot_be_read_is_a_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(CommandError, match="Nothing was loaded"):
        run(tmp_path / name)


def test_a_refused_row_takes_all_others_back(file: Path) -> None:
    """One transaction: here the database refuses the update that comes after the inserts."""
    run(write(file, role(1)))
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE directory_roles ADD CONSTRAINT ck_test CHECK (role_name <> 'Refused')")
    before = stored()

    with pytest.raises(CommandError, match="ck_test"):
        run(write(file, role(1, role_name="Refused"), role(2)))

    assert stored() == before


def test_the_number_of_queries_does_not_grow_with_the_roles(file: Path) -> None:
    run(write(file, role(1)))
    with CaptureQueriesContext(connection) as few:
        run(write(file, role(1, role_name="a"), role(2)))
    many = [role(number, role_name="b") for number in range(1, 100)]

    with CaptureQueriesContext(connection) as captured:
        run(write(file, *many))

    assert len(captured) == len(few) <= 8


def test_another_database_can_be_loaded(migrated: str) -> None:
    assert run(database=migrated).startswith("138 roles: 138 new")

    assert DirectoryRole.objects.using(migrated).count() == 138
    assert stored() == []


def test_of_two_runs_at_the_same_moment_one_is_told_to_run_again(migrated: str, file: Path) -> None:
    """The second waits for the first one's transaction, and then finds the role there already."""
    write(file, role(1), role(2))

    def second() -> str:
        with pytest.raises(CommandError) as refused:
            run(file, database=migrated)
        return str(refused.value)

    with session(migrated) as first, session(migrated) as other, first.cursor() as insert, other.cursor() as look:

        def second_waits() -> bool:
            look.execute("SELECT 1 FROM pg_locks WHERE NOT granted")
            return bool(look.fetchall())

        first.autocommit = False
        insert.execute(
            "INSERT INTO directory_roles (id, template_id, role_name, category)"
            " VALUES (gen_random_uuid(), %s, 'x', 'x')",
            [str(UUID(int=2))],
        )
        with actor(second) as run_of_second:
            until(second_waits, "the second run waits for the first")
            first.commit()
            assert "Run it again: python manage.py load_directory_roles" in run_of_second.result(60)

    assert [row.role_name for row in DirectoryRole.objects.using(migrated)] == ["x"]
    assert run(file, database=migrated).endswith("2 roles: 1 new, 1 changed, 0 unchanged, 0 gone\n")


def test_a_database_without_the_table_is_a_sentence(database: str) -> None:
    with pytest.raises(CommandError, match=r"no table directory_roles.*\n?.*python manage.py"):
        run(database=database)
