"""The errors of this project: each says what is wrong and ends with the next command to run.

They are CommandErrors, so that `manage.py` prints them as one sentence and exits with 1, whichever command met them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.core.management import CommandError
from django.db import Error

from pam.postgres.activity import Session

LOCK_NOT_AVAILABLE = "55P03"
DEADLOCK_DETECTED = "40P01"
SERIALIZATION_FAILURE = "40001"
OTHERS_WERE_FIRST = (LOCK_NOT_AVAILABLE, DEADLOCK_DETECTED, SERIALIZATION_FAILURE)
QUERY_CANCELED = "57014"
FOREIGN_KEY_VIOLATION = "23503"
UNIQUE_VIOLATION = "23505"
INSUFFICIENT_PRIVILEGE = "42501"
UNDEFINED_TABLE = "42P01"
NOT_IN_PREREQUISITE_STATE = "55000"
UNDEFINED_FUNCTION = "42883"

NEXT = "Then run it again: python manage.py migrate"
GO_ON = "To go on from there: python manage.py migrate"


class MenshunError(CommandError):
    """Base of every error that menshun raises by itself."""


class LockUnavailable(MenshunError):
    """A lock was not to be had within the bounded number of tries; nothing was changed."""

    def __init__(self, mode: str, relations: Sequence[str], attempts: int, holders: Sequence[Session]) -> None:
        self.holders = tuple(holders)
        super().__init__(
            f"No {mode} lock on {', '.join(relations)} in {attempts} tries; nothing was changed by this step."
            f"{_list(holders, ' In the way:')}\n"
            f"Wait for these sessions, or end one: SELECT pg_terminate_backend(<pid>). {NEXT}"
        )


class RunInProgress(MenshunError):
    """Another session is changing this database by menshun's migrations."""

    def __init__(self, holder: Session | None) -> None:
        self.holder = holder
        super().__init__(
            f"Another run is still changing this database.{_list([holder] if holder else [], ' It is:')}\n"
            f"This one leaves and has changed nothing. Wait for that session, or end it: "
            f"SELECT pg_terminate_backend(<pid>). {NEXT}"
        )


class TableMissing(MenshunError):
    """A migration speaks of a table that this session does not see."""

    def __init__(self, table: str) -> None:
        super().__init__(
            f"There is no table {table} in this session's search_path. "
            "See what is applied: python manage.py showmigrations pam"
        )


class NameTaken(MenshunError):
    """Something else has the name that an index is to have; both are shown and nothing was changed."""

    def __init__(self, name: str, found: str, wanted: str) -> None:
        super().__init__(
            f'The name "{name}" is taken by something that is not what the migration makes. Nothing was changed.\n'
            f"  found:  {found}\n"
            f"  wanted: {wanted}\n"
            f'Rename the other one (ALTER INDEX "{name}" RENAME TO ...) or drop it. {NEXT}'
        )


class BuildFailed(MenshunError):
    """A concurrent build ended before its index was valid."""


class DuplicateRows(BuildFailed):
    """A unique index could not be built: there are rows that it forbids."""


@contextmanager
def run_again(command: str) -> Iterator[None]:
    """Let an error that would have one run `migrate` again name what was run."""
    try:
        yield
    except MenshunError as error:
        text = str(error)
        for ending in (NEXT, GO_ON):
            text = text.replace(ending, ending.replace("python manage.py migrate", command))
        error.args = (text,)
        raise


def sqlstate(error: BaseException) -> str | None:
    """The SQLSTATE that the server gave; Django wraps the driver's error, which holds it. None if it gave none."""
    for candidate in (error, error.__cause__):
        code = getattr(candidate, "pgcode", None)
        if code:
            return str(code)
    return None


def is_busy(error: BaseException) -> bool:
    """Whether a lock was not to be had within `lock_timeout`."""
    return sqlstate(error) == LOCK_NOT_AVAILABLE


def said(error: BaseException) -> str:
    """What went wrong, as a sentence: the server's words with their SQLSTATE; without one, those of our own side."""
    code, text = sqlstate(error), str(error).strip()
    is_ours = isinstance(error, MenshunError) or code is None
    return text if is_ours else f"the server said: {text} (SQLSTATE {code})."


def primary(error: Error) -> str:
    """The server's words without its DETAIL, which may show a row; without a server, our own side's."""
    diagnostics = getattr(error.__cause__, "diag", None)
    return getattr(diagnostics, "message_primary", None) or str(error).strip()


def detail(error: Error) -> str:
    """The server's DETAIL line of an error, or an empty text."""
    diagnostics = getattr(error.__cause__, "diag", None)
    return getattr(diagnostics, "message_detail", None) or ""


def build_failed(error: Error, doing: str, is_connected: bool, left: str = "") -> BuildFailed:
    """The BuildFailed that tells what the server's `error` means for the work that was being done."""
    if not is_connected:
        return BuildFailed(f"{doing}: the connection to the server was lost: {str(error).strip()}\n{NEXT}")
    code = sqlstate(error)
    if code == UNIQUE_VIOLATION:
        return DuplicateRows(
            f"{doing}: there are rows that it forbids. {detail(error)} {left}\n"
            f"Settle these rows (one of each pair has to end), then look for more. {NEXT}"
        )
    reason = {
        QUERY_CANCELED: "it was cancelled.",
        LOCK_NOT_AVAILABLE: "a lock or an older transaction, named above, did not end within the time allowed.",
    }.get(code or "", said(error))
    return BuildFailed(f"{doing}: {reason} {left}\n{NEXT}")


def _list(sessions: Sequence[Session], heading: str) -> str:
    return heading + "".join(f"\n  {session}" for session in sessions) if sessions else ""
