"""The pages of the database as a browser sees them, of whichever database."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser

from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.test import Client, override_settings
from django.urls import reverse

from tests.support.routers import ReadElsewhere

PAGES = (
    "database",
    "database_partitions",
    "database_indexes",
    "database_sizes",
    "database_queries",
    "database_settings",
)
IMAGES = ("database_timeline", "database_growth")


@contextmanager
def dba_of(alias: str) -> Iterator[Client]:
    """A browser of somebody who may see these pages and nothing else, which tell of the database behind an alias."""
    user = User.objects.create(username="dba", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_sizesnapshot"))
    client = Client()
    client.force_login(user)
    cache.clear()
    with override_settings(DATABASE_ROUTERS=[ReadElsewhere(alias)]):
        yield client
    cache.clear()


def html(client: Client, name: str, query: str = "") -> str:
    """The page of this name, which must be there."""
    response = client.get(reverse(name) + query)
    assert response.status_code == 200
    return str(response.content.decode())


def text(client: Client, name: str, query: str = "") -> str:
    """What a person reads of it."""
    return shown(html(client, name, query))


def shown(page: str) -> str:
    """The text of a page, in one line."""
    reader = _Text()
    reader.feed(page)
    return re.sub(r"\s+", " ", "".join(reader.parts))


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)

    def handle_endtag(self, tag: str) -> None:
        self.parts.append(" ")
