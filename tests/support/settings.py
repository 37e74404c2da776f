"""`pam_settings` as a test runs it."""

import io
import json
from typing import Any

from django.core.management import CommandError, call_command


def told(alias: str, **options: Any) -> tuple[str, CommandError | None]:
    """What it printed, and how it ended."""
    out = io.StringIO()
    try:
        call_command("pam_settings", database=alias, stdout=out, stderr=io.StringIO(), **options)
    except CommandError as error:
        return out.getvalue(), error
    return out.getvalue(), None


def advised(alias: str, **options: Any) -> dict[str, Any]:
    text, _ = told(alias, json=True, **options)
    document: dict[str, Any] = json.loads(text)
    return document


def of(document: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [one for one in document["advice"] if one["name"] == name]
