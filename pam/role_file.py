"""Reading a file of directory roles: every role checked, and for whatever is wrong its line and the reason."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from pam.errors import PamError

FIELDS: Mapping[str, tuple[type, str]] = {
    "template_id": (str, "a text"),
    "role_name": (str, "a text"),
    "description": (str, "a text"),
    "is_privileged": (bool, "true or false"),
}
LONGEST_NAME = 255
BETWEEN_ENTRIES = re.compile(r"[\s,]*")


@dataclass(frozen=True)
class Role:
    """A directory role as a file states it."""

    template_id: UUID
    role_name: str
    description: str
    is_privileged: bool


@dataclass(frozen=True)
class Problem:
    """What is wrong in a line."""

    line: int
    reason: str


class BrokenRoleFile(PamError):
    """A file of roles cannot be used, for these reasons; nothing was loaded."""

    def __init__(self, file: Path, problems: list[Problem]) -> None:
        self.file = file
        self.problems = problems
        lines = "\n".join(f"{file}:{problem.line}: {problem.reason}" for problem in problems)
        super().__init__(f"{lines}\nNothing was loaded.")


def read_roles(file: Path) -> list[Role]:
    """The roles of a file, or BrokenRoleFile with all its problems."""
    text = _decoded(file)
    entries = _parsed(file, text)
    problems: list[Problem] = []
    roles: list[Role] = []
    line_of: dict[UUID, int] = {}
    for line, entry in zip(_lines(text, len(entries)), entries, strict=True):
        reasons = list(_objections(entry))
        if not reasons:
            role = Role(UUID(entry["template_id"]), entry["role_name"], entry["description"], entry["is_privileged"])
            roles.append(role)
            if role.template_id in line_of:
                reasons.append(f"template_id {role.template_id} stands in line {line_of[role.template_id]} already.")
            line_of.setdefault(role.template_id, line)
        problems += [Problem(line, reason) for reason in reasons]
    if problems:
        raise BrokenRoleFile(file, problems)
    return roles


def _decoded(file: Path) -> str:
    content = file.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BrokenRoleFile(file, [Problem(line, f"this is not UTF-8 ({error.reason}).")]) from error


def _parsed(file: Path, text: str) -> list[Any]:
    try:
        entries = json.loads(text)
    except json.JSONDecodeError as error:
        reason = f"this is not JSON: {error.msg} (column {error.colno})."
        raise BrokenRoleFile(file, [Problem(error.lineno, reason)]) from error
    except (ValueError, RecursionError) as error:
        raise BrokenRoleFile(file, [Problem(1, f"this cannot be read as JSON: {error}.")]) from error
    if not isinstance(entries, list):
        raise BrokenRoleFile(file, [Problem(1, "the file must be a list of roles: [{...}, {...}].")])
    return entries


def _lines(text: str, count: int) -> Iterator[int]:
    """The lines on which the entries of a JSON list begin; json itself does not tell."""
    decoder = json.JSONDecoder()
    line, counted, end = 1, 0, text.index("[") + 1
    for _ in range(count):
        between = BETWEEN_ENTRIES.match(text, end)
        start = between.end() if between else end
        line += text.count("\n", counted, start)
        counted = start
        yield line
        _, end = decoder.raw_decode(text, start)


def _objections(entry: Any) -> Iterator[str]:
    """Everything that is wrong with one entry by itself."""
    if not isinstance(entry, dict):
        yield 'a role must be an object: {"template_id": ...}.'
        return
    for name, (kind, wanted) in FIELDS.items():
        if name not in entry:
            yield f"{name} is missing."
        elif type(entry[name]) is not kind:
            yield f"{name} must be {wanted}, not {json.dumps(entry[name])[:50]}."
        elif kind is str:
            yield from _text_objections(name, entry[name])


def _text_objections(name: str, text: str) -> Iterator[str]:
    if not _is_storable(text):
        yield f"{name} holds a character that PostgreSQL cannot store."
    elif name == "template_id" and not _is_uuid(text):
        yield f"template_id must be a UUID, not {text[:50]!r}."
    elif name == "role_name" and not text.strip():
        yield "role_name is empty."
    elif name == "role_name" and len(text) > LONGEST_NAME:
        yield f"role_name has {len(text)} characters; at most {LONGEST_NAME} are allowed."


def _is_storable(text: str) -> bool:
    """PostgreSQL's text holds every Unicode character but NUL; JSON can also spell halves of characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
