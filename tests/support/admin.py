"""The admin as a browser sees it: addresses of its pages, and what a form sends back when nothing was touched."""

from html.parser import HTMLParser
from typing import Any

from django.contrib.auth.models import User
from django.db import models
from django.test import Client
from django.urls import reverse


def sign_in() -> Client:
    """A browser in which a superuser is signed in. Without a password: to hash one takes half a second."""
    client = Client()
    client.force_login(User.objects.create(username="operator", is_staff=True, is_superuser=True))
    return client


def url(model: type[models.Model], page: str, row: models.Model | None = None) -> str:
    """The address of a page: changelist, add; or of a row: change, delete, history."""
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}"
    return reverse(name, args=[row.pk] if row else [])


def found(client: Client, model: type[models.Model], **parameters: str) -> list[Any]:
    """The rows that a list shows to these parameters."""
    return list(client.get(url(model, "changelist"), parameters).context["cl"].result_list)


def open_form(client: Client, address: str) -> dict[str, Any]:
    """What the form at this address sends back, name by name, when nobody touches it."""
    return open_page(client.get(address))


def open_page(response: Any) -> dict[str, Any]:
    """What the form of this page sends back when nobody touches it."""
    assert response.status_code == 200, response
    parser = _FormParser()
    parser.feed(response.content.decode())
    return parser.values


def errors(response: Any) -> str:
    """Everything a form that was sent complains about; empty when it was saved."""
    return "" if response.status_code == 302 else str(response.context["errors"])


def told(response: Any) -> list[str]:
    """The messages on a page."""
    return [str(message) for message in response.context["messages"]]


class _FormParser(HTMLParser):
    """The successful controls of the page's form, as HTML calls what a browser sends."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, Any] = {}
        self._inside = False
        self._text: str | None = None
        self._select: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        name = attributes.get("name") or ""
        if tag == "form":
            self._inside = (attributes.get("id") or "").endswith("_form")
        elif not self._inside:
            return
        elif tag == "textarea":
            self._text, self.values[name] = name, ""
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and "selected" in attributes:
            self.values[self._select] = attributes.get("value")
        elif tag == "input":
            self._take_input(name, attributes)

    def _take_input(self, name: str, attributes: dict[str, str | None]) -> None:
        kind = attributes.get("type")
        if kind in ("checkbox", "radio") and "checked" in attributes:
            self.values[name] = attributes.get("value", "on")
        elif kind not in ("checkbox", "radio", "submit"):
            self.values[name] = attributes.get("value") or ""

    def handle_data(self, data: str) -> None:
        if self._text:
            self.values[self._text] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._text:
            # The newline after <textarea> belongs to the tag.
            self.values[self._text] = self.values[self._text].removeprefix("\r\n").removeprefix("\n")
            self._text = None
        elif tag == "select":
            self._select = None
        elif tag == "form":
            self._inside = False
