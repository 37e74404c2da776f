"""How large the database may become, as it is written for a person: 500MB, 50GB."""

import re

from django.conf import settings

from pam.postgres.errors import MenshunError

# As `filesizeformat` and PostgreSQL count.
UNITS = {"B": 0, "KB": 10, "MB": 20, "GB": 30, "TB": 40, "PB": 50}
LARGEST = 1 << 62


def size_in_bytes(text: str) -> int:
    """A size such as 16GB, in bytes; ValueError if it is none."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Z]?B)", text.strip().upper())
    bytes_ = round(float(found[1]) * (1 << UNITS[found[2]])) if found and found[2] in UNITS else 0
    if not 0 < bytes_ <= LARGEST:
        raise ValueError(f"{text!r} is no size. Write it like 500MB, 50GB or 1.5TB.")
    return bytes_


def budget() -> int | None:
    """PAM_SIZE_BUDGET in bytes; None: there is none. MenshunError if it is no size."""
    text: str | None = settings.PAM_SIZE_BUDGET
    if text is None:
        return None
    try:
        return size_in_bytes(text)
    except ValueError as error:
        raise MenshunError(f"PAM_SIZE_BUDGET: {error}") from error
