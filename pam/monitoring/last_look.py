"""What takes seconds to find out is kept for some minutes in each process that serves pages, which are reloaded."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from django.core.cache import cache

T = TypeVar("T")

SECONDS = 300


@dataclass(frozen=True)
class Look(Generic[T]):
    """What was found, and when that was."""

    at: datetime
    found: T


def last(key: str) -> Look[T] | None:
    """What was found within the last five minutes, if anybody looked."""
    kept: Look[T] | None = cache.get(key)
    return kept


def look(key: str, now: datetime, find: Callable[[], T]) -> Look[T]:
    """The same, after looking now if nobody did. An error is not kept."""
    kept: Look[T] | None = last(key)
    if kept is None:
        kept = Look(now, find())
        cache.set(key, kept, SECONDS)
    return kept
