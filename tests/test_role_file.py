"""A broken file of roles gets a line and a reason for each of its problems."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from pam.management.commands.load_directory_roles import FILE
from pam.role_file import BrokenRoleFile, Role, read_roles

pytestmark = pytest.mark.once

READER: dict[str, Any] = {
    "template_id": "5d6b6bb7-de71-4623-b4af-96380a352509",
    "role_name": "Security Reader",
    "description": "Reads.",
    "is_privileged": True,
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "roles.json"


def problems(file: Path, content: str | bytes) -> list[tuple[int, str]]:
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BrokenRoleFile) as broken:
        read_roles(file)
    assert str(broken.value).startswith(f"{file}:{broken.value.problems[0].line}: ")
    return [(problem.line, problem.reason) for problem in broken.value.problems]


def one_per_line(*entries: Any) -> str:
    """A list whose first entry is in line 2, the next in line 3 and so on."""
    return "[\n" + ",\n".join(json.dumps(entry) for entry in entries) + "\n]"


def test_the_projects_own_file_is_right() -> None:
    roles = read_roles(FILE)

    assert len(roles) == 138
    assert sum(role.is_privileged for role in roles) == 35
    assert all(role.description for role in roles)


def test_a_role_is_read(file: Path) -> None:
    file.write_text(json.dumps([READER]))

    assert read_roles(file) == [Role(UUID(READER["template_id"]), "Security Reader", "Reads.", True)]


@pytest.mark.parametrize("content", ["[]", " [ ]\n", "\ufeff[]"])
def test_no_roles_are_no_problem(file: Path, content: str) -> None:
    file.write_text(content)

    assert read_roles(file) == []


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("a text", "object"),
        (None, "object"),
        ({**READER, "template_id": "no uuid"}, "UUID"),
        ({**READER, "template_id": 7}, "template_id must be a text, not 7"),
        ({**READER, "role_name": None}, "role_name must be a text, not null"),
        ({**READER, "role_name": " "}, "role_name is empty"),
        ({**READER, "role_name": "x" * 256}, "256 characters; at most 255"),
        ({**READER, "role_name": "a\0b"}, "cannot store"),
        ({**READER, "description": "\ud800"}, "cannot store"),
        ({**READER, "description": ["x"]}, "description must be a text"),
        ({**READER, "is_privileged": "yes"}, 'is_privileged must be true or false, not "yes"'),
        ({**READER, "is_privileged": 1}, "is_privileged must be true or false"),
        ({name: READER[name] for name in READER if name != "description"}, "description is missing"),
    ],
)
def test_a_broken_entry_gets_its_line_and_a_reason(file: Path, entry: Any, reason: str) -> None:
    ((line, said),) = problems(file, one_per_line({**READER, "template_id": str(UUID(int=1))}, READER, entry))

    assert line == 4
    assert reason in said


def test_the_longest_name_is_allowed(file: Path) -> None:
    file.write_text(json.dumps([{**READER, "role_name": "x" * 255}]))

    assert len(read_roles(file)[0].role_name) == 255


def test_every_problem_is_told(file: Path) -> None:
    found = problems(file, one_per_line({}, READER, 7))

    assert [line for line, _ in found] == [2, 2, 2, 2, 4]


def test_a_template_id_that_stands_twice_names_both_lines(file: Path) -> None:
    upper = {**READER, "template_id": READER["template_id"].upper()}

    ((line, reason),) = problems(file, one_per_line(READER, upper))

    assert line == 3
    assert f"{READER['template_id']} stands in line 2 already" in reason


def test_an_entry_of_many_lines_is_told_by_its_first(file: Path) -> None:
    text = json.dumps([READER, {**READER, "role_name": "line\nline"}, {}], indent=1)

    assert {line for line, _ in problems(file, text)} == {8, 14}


def test_lines_are_right_when_texts_look_like_json(file: Path) -> None:
    tricky = {**READER, "description": '}, { \\" ] [ ,,,'}

    assert [line for line, _ in problems(file, one_per_line(tricky, 7))] == [3]


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        ("", 1, "not JSON"),
        ('[\n{"template_id": \n"x",}]', 3, "not JSON"),
        ("[{}]\n[{}]", 2, "not JSON"),
        ("{}", 1, "must be a list"),
        ('"roles"', 1, "must be a list"),
        ("[" * 100_000, 1, "cannot be read"),
        (b'[\n\n"\xff"]', 3, "not UTF-8"),
        ("[]".encode("utf-16"), 1, "not UTF-8"),
    ],
)
def test_what_is_no_list_of_roles_gets_a_line_and_a_reason(
    file: Path, content: str | bytes, line: int, reason: str
) -> None:
    ((found, said),) = problems(file, content)

    assert found == line
    assert reason in said
