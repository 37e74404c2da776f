"""A part of a report or page, which is there whatever became of the others."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.core.management import CommandError
from django.db import Error
from django.utils.text import capfirst

from pam.postgres.errors import said

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Section(Generic[T_co]):
    """What was found, or a sentence that says why it could not be told."""

    found: T_co | None
    reason: str = ""


def section(look: Callable[[], T]) -> Section[T]:
    """Look, and let our own errors and the database's be the reason."""
    try:
        return Section(look())
    except CommandError as error:
        return Section(None, str(error))
    except Error as error:
        return Section(None, capfirst(said(error)))
