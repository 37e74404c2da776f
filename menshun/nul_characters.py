"""Addresses with a NUL character: PostgreSQL's text cannot hold one, so that no row is meant by it."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest

Handler = Callable[[HttpRequest], HttpResponse]


def refuse_nul_characters(get_response: Handler) -> Handler:
    """Middleware: such an address is a bad request, wherever it leads. Forms refuse the character by themselves."""

    def handle(request: HttpRequest) -> HttpResponse:
        parts = [request.path, *request.GET, *(value for values in request.GET.lists() for value in values[1])]
        if any("\0" in part for part in parts):
            return HttpResponseBadRequest("An address cannot hold a NUL character.\n", content_type="text/plain")
        return get_response(request)

    return handle
