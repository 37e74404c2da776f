"""An advice: what a setting is, what this database wants it to be, why, and the statement that makes it so."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from pam.explain.query import Query
from pam.explain.spills import Run
from pam.postgres.server_counters import Counters
from pam.postgres.server_machine import Machine
from pam.postgres.server_settings import Server, readable
from pam.postgres.server_tables import Table

DOCS = "https://www.postgresql.org/docs/current/"


class Status(StrEnum):
    """Whether the setting is right, should be another, or the facts do not tell yet."""

    OK = "ok"
    CHANGE = "change"
    UNKNOWN = "cannot tell yet"


@dataclass(frozen=True)
class Asked:
    """A named query as it was run. `enough` is the `work_mem` in bytes that ended its spills, if one did.

    `run` is None for one that could not be run. `error` says why, or why no more memory was tried.
    """

    query: Query
    run: Run | None
    enough: int | None = None
    error: str = ""


@dataclass(frozen=True)
class Case:
    """All that is known of a server and its database. `disk_free`: bytes where it keeps its data; None: not seen."""

    server: Server
    machine: Machine | None
    counters: Counters
    tables: tuple[Table, ...]
    asked: tuple[Asked, ...]
    disk_free: int | None

    @property
    def runs(self) -> dict[str, Run]:
        """The named queries that could be run."""
        return {one.query.name: one.run for one in self.asked if one.run}

    @property
    def asked_told(self) -> str:
        """How many named queries could be run, of how many."""
        return f"{len(self.runs)} of {len(self.asked)} named queries could be run"

    @property
    def is_asked(self) -> bool:
        """Whether all of them could; one that could not may be the one that matters."""
        return bool(self.asked) and len(self.runs) == len(self.asked)

    @property
    def left(self) -> int:
        """Bytes of memory beside the shared buffers. The machine must be known."""
        if self.machine is None:
            raise ValueError("the memory is not known")
        return max(0, self.machine.memory - self.server["shared_buffers"].bytes)


@dataclass(frozen=True)
class Advice:
    """What is said about one setting. `has` and `wants` are written as SHOW writes them, `has_raw` as pg_settings does.

    `takes_effect` is what has to follow a change: "restart", "reload", "new sessions", "session" (the statement is for
    the session that asks), or "at once". `statements` are typed as they stand, each in a transaction of its own; none
    is ever run here. `rule` is where the rule comes from.
    """

    name: str
    subject: str
    status: Status
    has: str
    has_raw: str
    wants: str | None
    reason: str
    rule: str
    takes_effect: str | None = None
    statements: tuple[str, ...] = ()


def about(
    case: Case, name: str, rule: str, reason: str, wants: str | int | None = None, *, tell: bool = True
) -> Advice:
    """The advice about a setting of the server: right as it is, or `wants` something else (a number: bytes of a size).

    With `tell` False the facts do not tell.
    """
    setting = case.server[name]
    if setting.is_pending:
        return Advice(
            name, "server", Status.UNKNOWN, setting.shown, raw(case.server, name), None,
            "Another value waits in the configuration for a restart: restart the server, then look again.", rule,
        )  # fmt: skip
    wanted = readable(wants) if isinstance(wants, int) else wants
    status = Status.UNKNOWN if not tell else Status.OK if wanted is None else Status.CHANGE
    if wanted is None:
        return Advice(name, "server", status, setting.shown, raw(case.server, name), None, reason, rule)
    statement = case.server.statement(name, wanted)
    if statement is None:
        reason = f"{reason} No statement can change it: {case.server.why_not(name)}."
    return Advice(
        name, "server", status, setting.shown, raw(case.server, name), wanted, reason, rule,
        setting.takes_effect if statement else None, (statement,) if statement else (),
    )  # fmt: skip


def raw(server: Server, name: str) -> str:
    """The value as pg_settings has it, with its unit."""
    setting = server[name]
    return f"{setting.raw} x {setting.unit}" if setting.unit else setting.raw


def since(age: timedelta) -> str:
    """For how long something was counted, for a person."""
    hours = age / timedelta(hours=1)
    return (
        f"{hours / 24:,.1f} days"
        if hours >= 48
        else f"{hours:,.1f} hours"
        if hours >= 1
        else f"{hours * 60:,.0f} minutes"
    )


def megabytes(size: float) -> str:
    """Bytes for a person."""
    return f"{size / (1 << 20):,.0f} MB"


def power_of_two(size: float, *, up: bool) -> int:
    """The power of two that is not smaller (`up`) or not larger than a size in bytes, at least a kB."""
    found = 1 << 10
    while found * 2 <= size or (up and found < size):
        found *= 2
    return found


def listed(names: Iterable[str]) -> str:
    """Names in a sentence."""
    return ", ".join(names)
