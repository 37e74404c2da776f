"""`pam_indexes` as tests run it, and what it finds."""

import io
import json
from typing import Any

from django.core.management import CommandError, call_command
from django.db import connections


def ran(alias: str, **options: Any) -> tuple[str, str, int]:
    """What it printed, what it ended with, and the exit code."""
    out = io.StringIO()
    try:
        call_command("pam_indexes", database=alias, stdout=out, stderr=io.StringIO(), **options)
    except CommandError as error:
        return out.getvalue(), str(error), error.returncode
    return out.getvalue(), "", 0


def document(alias: str, **options: Any) -> dict[str, Any]:
    """What `--json` says."""
    text, error, code = ran(alias, json=True, **options)
    assert text, error
    found: dict[str, Any] = json.loads(text)
    assert code == bool(found["findings"])
    return found


def found(alias: str, **options: Any) -> dict[str, str]:
    """The findings' ids by what they are about."""
    return {one["subject"]: one["id"] for one in document(alias, **options)["findings"]}


def facts(alias: str, index: str, **options: Any) -> dict[str, Any]:
    """What is said of one index."""
    (one,) = (one for one in document(alias, **options)["indexes"] if one["index"] == index)
    return dict(one)


def scan(alias: str, statement: str) -> None:
    """Run a statement by index only, and have the server count it at once."""
    with connections[alias].cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        cursor.execute(statement)
        cursor.execute("RESET enable_seqscan")
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT 1")


def run(alias: str, *statements: str) -> list[Any]:
    """Run statements; the rows of the last one."""
    with connections[alias].cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []
