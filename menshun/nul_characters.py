"""Addresses and headers with a NUL character: PostgreSQL's text cannot hold one, so that no row is meant by it, and
nothing can be written down of it."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest

Handler = Callable[[HttpRequest], HttpResponse]


def refuse_nul_characters(get_response: Handler) -> Handler:
    """Middleware: that is a bad request, wherever it leads. Forms refuse the character by themselves, and some web
    servers do so in headers."""

    def handle(request: HttpRequest) -> HttpResponse:
        asked = (value for _, values in request.GET.lists() for value in values)
        if any("\0" in part for part in (request.path, *request.GET, *asked, *request.headers.values())):
            told = "Neither an address nor a header can hold a NUL character.\n"
            return HttpResponseBadRequest(told, content_type="text/plain")
        return get_response(request)

    return handle
