"""The parts that each migration makes, taken down from a database that it was applied to.

`python -m tests.support.expected` writes them to the file that `pam.health` compares a database with.
"""

import json
import os
from typing import Any

import django
from django.core.management import call_command
from django.db import connections
from django.db.migrations.loader import MigrationLoader

APP = "pam"


def parts_now(alias: str) -> dict[str, dict[str, dict[str, str]]]:
    """table -> kind -> name -> definition, of the tables of the app."""
    from pam.monitoring.examine import oids, table_names
    from pam.postgres.inventory import inventory

    found: dict[str, dict[str, dict[str, str]]] = {}
    for table in inventory(connections[alias], oids(connections[alias], table_names())):
        if table.parent_oid is None:
            kinds = found[table.name] = {"table": {table.name: table.definition}}
            for part in table.parts:
                kinds.setdefault(part.kind, {})[part.name] = part.definition
    return found


def made_by_each(alias: str) -> dict[str, Any]:
    """migration -> table -> kind -> name -> definition, of what it makes or makes different; null: of what it drops.

    `alias` is an empty database; afterwards all is applied.
    """
    loader = MigrationLoader(connections[alias])
    plan = [key for key in loader.graph.forwards_plan(loader.graph.leaf_nodes(APP)[0]) if key[0] == APP]
    made: dict[str, Any] = {}
    before: dict[str, Any] = {}
    for _, name in plan:
        call_command("migrate", APP, name, database=alias, verbosity=0)
        now = parts_now(alias)
        changes = _changes(before, now)
        if changes:
            made[name] = changes
        before = now
    return made


def _changes(before: Any, now: Any) -> Any:
    """The leaves of `now` that are new or different, and None for those that are gone."""
    if not isinstance(now, dict):
        return now
    before = before if isinstance(before, dict) else {}
    changed = {key: _changes(before.get(key), value) for key, value in now.items() if before.get(key) != value}
    return {**changed, **dict.fromkeys(before.keys() - now.keys())}


def as_text(made: dict[str, Any]) -> str:
    return json.dumps(made, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "menshun.settings")
    django.setup()
    from pam.health.expected import FILE
    from tests.support.servers import ALIAS, server_under_alias

    with server_under_alias({"fsync": "off"}):
        FILE.write_text(as_text(made_by_each(ALIAS)), encoding="utf-8")
