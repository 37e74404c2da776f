"""The errors that code using the models meets: facts as attributes, and a text that ends with what to do next."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class PamError(Exception):
    """Base of every error that the models raise by themselves."""


class StaleRowError(PamError):
    """A row was changed or deleted by somebody else after it was loaded; nothing was saved."""

    def __init__(self, *, model: str, pk: Any, version: int) -> None:
        self.model = model
        self.pk = pk
        self.version = version
        super().__init__(
            f"{model} {pk} is no longer at version {version}: somebody else changed or deleted it. Nothing was saved. "
            "Call refresh_from_db(), make the change again and save."
        )


class VersionNotLoadedError(PamError):
    """A row was loaded without its version, so nobody can tell whether it is stale; nothing was saved."""

    def __init__(self, *, model: str, pk: Any) -> None:
        self.model = model
        self.pk = pk
        super().__init__(
            f"{model} {pk} was loaded without its version, so a stale save could not be noticed. Nothing was saved. "
            "Load it with 'version' among the fields of only(), or not in defer(), and save again."
        )


class TooManyWordsError(PamError, ValueError):
    """A search asks for more words than one search may; nothing was searched."""

    def __init__(self, *, words: int, most: int) -> None:
        self.words = words
        self.most = most
        super().__init__(
            f"A search of {words} words; at most {most} are allowed. Nothing was searched. "
            "Search again with fewer words."
        )


class TooFewLettersError(PamError, ValueError):
    """No word of a search has enough letters for an index, so it would read whole tables; nothing was searched."""

    def __init__(self, *, least: int) -> None:
        self.least = least
        super().__init__(
            f"No word of this search has {least} letters or digits, and it would read all rows. Nothing was searched. "
            "Search again with one longer word; shorter ones may stand beside it."
        )


@dataclass(frozen=True)
class Problem:
    """A row that stands in the way of all the others, and why."""

    row: str
    why: str


class DutyRefusedError(PamError):
    """Some of the rows cannot be done; nothing was done to any of them. `problems` names every one that cannot."""

    def __init__(self, *, action: str, asked: int, problems: Sequence[Problem]) -> None:
        self.action = action
        self.asked = asked
        self.problems = tuple(problems)
        why = " ".join(f"{problem.row}: {problem.why}." for problem in self.problems)
        super().__init__(
            f"{action}: {len(self.problems)} of {asked} cannot be done, so nothing was done. {why} "
            "Look at them again, and repeat it without those."
        )


class ReasonMissingError(PamError, ValueError):
    """Somebody wants something done and does not say why; nothing was done."""

    def __init__(self) -> None:
        super().__init__("No reason was given, and nothing was done. State the reason and repeat it.")
