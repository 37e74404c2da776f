"""A finding: what is wrong, by how much, and what to do next."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How soon somebody should act: `ERROR` now, since something is broken or soon will be; `WARNING` in its time."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    `id` is made of words and stays the same for ever (`index-missing`), so that it can be looked up and silenced.
    `subject` is the object, as the catalog names it. `evidence` says what was seen, in figures. `cure` is the next
    command, or the statement, as it is typed; nothing here runs it.
    """

    id: str
    severity: Severity
    subject: str
    evidence: str
    cure: str

    def __str__(self) -> str:
        return f"{self.severity.upper()} {self.id}: {self.subject}: {self.evidence}\n  Do: {self.cure}"


def by_urgency(findings: Iterable[Finding]) -> list[Finding]:
    """The errors first."""
    return sorted(findings, key=lambda one: (one.severity is not Severity.ERROR, one.id, one.subject))
