"""Every address of the site, whoever added it: read from the URLs themselves, so that none is forgotten."""

import re
from collections.abc import Mapping

from django.contrib.admindocs.views import extract_views_from_urlpatterns, simplify_regex
from django.urls import get_resolver

# A part of an address that is given by who asks, such as <object_id> or <path:object_id>.
PART = re.compile(r"<(?:\w+:)?(\w+)>")


def addresses() -> list[str]:
    """All of them, with their open parts in angle brackets, such as /admin/pam/session/<path:object_id>/change/."""
    found = extract_views_from_urlpatterns(get_resolver().url_patterns)
    return [simplify_regex(str(route)) for _, route, _, _ in found]


def filled(address: str, parts: Mapping[str, str]) -> str:
    """The address with its open parts given by name; KeyError if one is missing."""
    return PART.sub(lambda part: parts[part[1]], address)


def model_of(address: str) -> str:
    """The name of the model whose page it is, or nothing."""
    found = re.match(r"/admin/\w+/(\w+)/", address)
    return found[1] if found else ""
