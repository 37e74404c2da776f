"""The errors that code using the models meets: facts as attributes, and a text that ends with what to do next."""

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
