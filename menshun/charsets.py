"""Requests in another charset than UTF-8: a browser sends none, and Python knows "charsets" that are none of text."""

from collections.abc import Callable, Iterable
from typing import Any

from django.utils.http import parse_header_parameters

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

UTF_8 = "utf-8"


def refuse_other_charsets(application: Application) -> Application:
    """A WSGI application before Django's, which fails at such a header before any middleware of its own is asked."""

    def handle(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if _is_utf_8(environ.get("CONTENT_TYPE", "")):
            return application(environ, start_response)
        start_response("400 Bad Request", [("Content-Type", "text/plain")])
        return [b"What is sent here is in UTF-8.\n"]

    return handle


def _is_utf_8(content_type: str) -> bool:
    """Whether no other charset is named; a parameter may name one for itself (RFC 2231), which is to be known."""
    try:
        _, parameters = parse_header_parameters(content_type)
    except ValueError:
        return False
    return parameters.get("charset", UTF_8).lower() == UTF_8
