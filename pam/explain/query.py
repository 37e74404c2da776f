"""What a named query is: the question, and the promise that its answer keeps."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from pam.explain.sample import Sample

Rows = QuerySet[Any, Any]


@dataclass(frozen=True)
class Query:
    """A named query. The first of `indexes` must be there, and it or another of them serve; none means that reading
    all is right.

    Its answer may touch `partitions` (None: all), and cost `per_partition` buffers for each and `per_row` for each row.
    """

    name: str
    build: Callable[[Sample], Rows]
    indexes: tuple[str, ...]
    partitions: int | None
    per_partition: int
    per_row: float

    @property
    def about(self) -> str:
        """Who asks this, when."""
        return (self.build.__doc__ or "").strip()
