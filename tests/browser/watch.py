"""What a browser notices of a page that nobody looks at: errors in its console, and requests to others."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, Page, Request, Response


class Watch:
    """Follows pages and collects what is wrong with them; a breach of the policy of contents is on the console."""

    def __init__(self, address: str) -> None:
        self._address = address
        self.complaints: list[str] = []

    def follow(self, page: "Page") -> None:
        """Watch this page from now on."""
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(f"error in a script: {error}"))
        page.on("request", self._request)
        page.on("response", self._response)

    def _console(self, message: "ConsoleMessage") -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"console: {message.text} ({message.location})")

    def _request(self, request: "Request") -> None:
        if not request.url.startswith((f"{self._address}/", "data:", "blob:")):
            self.complaints.append(f"a request to another host: {request.url}")

    def _response(self, response: "Response") -> None:
        if response.status >= 500:
            self.complaints.append(f"{response.status}: {response.url}")
