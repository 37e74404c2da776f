"""What the content policy of our pages forbids, found in a page: scripts and styles of its own, files of others."""

from html.parser import HTMLParser
from urllib.parse import urlsplit

LOADED = {"script": "src", "link": "href", "img": "src", "form": "action"}


def forbidden(page: str) -> list[str]:
    """What a browser would not load or run, tag by tag."""
    return _Reader(page).found


class _Reader(HTMLParser):
    """What a page has that its policy forbids."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "style" or (tag == "script" and "src" not in given):
            self.found.append(f"<{tag}>")
        self.found += [f"<{tag} {name}>" for name in given if name == "style" or name.startswith("on")]
        address = given.get(LOADED.get(tag, ""))
        if address and (urlsplit(address).scheme or urlsplit(address).netloc):
            self.found.append(f"<{tag}> of {address}")
