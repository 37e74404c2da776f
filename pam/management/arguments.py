"""Arguments of several commands."""

import re
from argparse import ArgumentTypeError

# As `filesizeformat` and PostgreSQL count.
UNITS = {"B": 0, "KB": 10, "MB": 20, "GB": 30, "TB": 40, "PB": 50}
LARGEST = 1 << 62


def size(text: str) -> int:
    """A size such as 16GB, in bytes; ArgumentTypeError if it is none."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Z]?B)", text.strip().upper())
    bytes_ = round(float(found[1]) * (1 << UNITS[found[2]])) if found and found[2] in UNITS else 0
    if not 0 < bytes_ <= LARGEST:
        raise ArgumentTypeError(f"{text!r} is no size. Write it like 500MB, 50GB or 1.5TB.")
    return bytes_
