"""/healthz: what a load balancer asks, to learn whether this process can serve."""

from collections.abc import Callable

from django.db import DEFAULT_DB_ALIAS, connections
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from pam.postgres.answering import answers

PATH = "/healthz"
SECONDS = 2.0

Handler = Callable[[HttpRequest], HttpResponse]


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """200 if the database answers within two seconds, 503 if not; whoever asks is told no more. The log says why."""
    if answers(connections[DEFAULT_DB_ALIAS], SECONDS):
        return HttpResponse("ok\n", content_type="text/plain")
    return HttpResponse("unavailable\n", status=503, content_type="text/plain")


def answer_health(get_response: Handler) -> Handler:
    """Middleware that answers before anything looks at the host, which a load balancer names by its bare address, at
    HTTPS or at a session."""

    def handle(request: HttpRequest) -> HttpResponse:
        return healthz(request) if request.path_info == PATH else get_response(request)

    return handle
