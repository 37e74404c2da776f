"""Arguments of several commands."""

from argparse import ArgumentTypeError

from pam.monitoring.budget import size_in_bytes


def size(text: str) -> int:
    """A size such as 16GB, in bytes; ArgumentTypeError if it is none."""
    try:
        return size_in_bytes(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error
