"""How a move can end before its end."""

from collections.abc import Sequence
from typing import Self

from pam.postgres.activity import Session
from pam.postgres.errors import GO_ON, NEXT, MenshunError


class StartAgain(Exception):
    """What was copied can no longer be trusted; the reason is for the log."""


class TooFarBehind(Exception):
    """More keys wait than may be replayed while others wait for the swap."""


class UnknownShape(MenshunError):
    """The server describes something in a way that this code does not know, so that it does not copy it."""


class MoveStopped(MenshunError):
    """Ctrl-C: the workers ended at the end of their chunk, or what they were at was cancelled."""

    @classmethod
    def before_the_copy(cls, table: str) -> Self:
        """Nothing was begun."""
        return cls(f"{table}: stopped before anything was changed. {NEXT}")

    @classmethod
    def without_connection(cls, table: str) -> Self:
        """The server cannot be asked how far it was."""
        return cls(f"{table}: stopped, and the connection is lost. What is copied is kept. {GO_ON}")

    @classmethod
    def before_the_swap(cls, table: str, rows: int) -> Self:
        """The copy is not in use yet, and so many rows are in it."""
        return cls(
            f"{table}: stopped. {rows:,} rows are copied and kept, changes are still captured, and the table is in use "
            f"as it was. To take it all away: python manage.py pam_partitions abandon. {GO_ON}"
        )

    @classmethod
    def after_the_swap(cls, table: str) -> Self:
        """The copy has the table's place."""
        return cls(f"{table}: stopped. It is swapped and in use; of the old table something is left. {GO_ON}")


class TooBusy(MenshunError):
    """Writers are faster than the replay, so that the swap would make them wait."""

    def __init__(self, table: str, attempts: int) -> None:
        super().__init__(
            f"{table}: at each of {attempts} tries more changes waited than may be replayed while others wait for the "
            "swap. The copy is kept, changes are still captured, and the table is in use as it was. Wait for a "
            f"quieter moment. {GO_ON}"
        )


class OldSnapshot(MenshunError):
    """A transaction would look into the new table as of a time at which its rows were not there yet."""

    def __init__(self, table: str, sessions: Sequence[Session]) -> None:
        listed = "".join(f"\n  {session}" for session in sessions)
        super().__init__(
            f"{table}: the copy is ready and kept, but to a transaction that began before (at REPEATABLE READ, or with "
            f"an open cursor) its rows would be missing. It is:{listed}\n"
            f"Wait for it, or end it: SELECT pg_terminate_backend(<pid>). {NEXT}"
        )


class NotEqual(MenshunError):
    """Source and copy differ, though no captured key waits: something changed the live table past the capture."""

    def __init__(self, table: str, differences: Sequence[str]) -> None:
        listed = "\n  ".join(differences)
        super().__init__(
            f"{table}: the copy is not equal to the live table, which stays in use; nothing was swapped.\n  {listed}\n"
            "Somebody wrote past the triggers (a month attached or detached by hand, the copy changed by hand). Begin "
            f"anew: python manage.py pam_partitions abandon. {NEXT}"
        )


class ObstaclesFound(MenshunError):
    """The table cannot be moved as it is; each reason comes with its cure."""

    def __init__(self, table: str, obstacles: Sequence[str]) -> None:
        self.obstacles = tuple(obstacles)
        listed = "\n  ".join(obstacles)
        super().__init__(f"{table} cannot be converted yet, and is in use as it was:\n  {listed}\n{NEXT}")
