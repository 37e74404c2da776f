"""Fixtures that several test modules use."""

from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker

from tests.support.databases import throwaway_database


@pytest.fixture
def database(django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The alias of an empty throw-away database; it is not "default", so that a use of the wrong connection shows."""
    with django_db_blocker.unblock(), throwaway_database("throwaway") as alias:
        yield alias
