"""What the tables are made of when a migration has been applied, taken down from databases where it was.

The file is written by `python -m tests.support.expected`; a test holds it against the migrations on each version of
PostgreSQL. It is read rather than computed, so that a standby and a role that may only read can be judged too.
"""

import json
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import TypeAlias

FILE = Path(__file__).with_name("expected_schema.json")

# table -> kind -> name -> definition; the kind "table" has the table itself.
Schema: TypeAlias = dict[str, dict[str, dict[str, str]]]


@cache
def changes() -> dict[str, dict[str, dict[str, dict[str, str | None]]]]:
    """What each migration makes, or makes different; None for what it drops. By the migration's name."""
    found: dict[str, dict[str, dict[str, dict[str, str | None]]]] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def expected(applied: Collection[str]) -> Schema:
    """The schema where just these migrations are applied. No two branches change the same part."""
    schema: Schema = {}
    for migration in sorted(changes().keys() & set(applied)):
        for table, kinds in changes()[migration].items():
            for kind, parts in kinds.items():
                there = schema.setdefault(table, {}).setdefault(kind, {})
                for name, definition in parts.items():
                    if definition is None:
                        there.pop(name, None)
                    else:
                        there[name] = definition
    return schema


def made_by(table: str, kind: str, name: str, applied: Collection[str]) -> str:
    """The last applied migration that made a part what it is to be."""
    makers = [migration for migration in applied if name in changes().get(migration, {}).get(table, {}).get(kind, {})]
    return max(makers)
