"""Pages that machines read."""

from hmac import compare_digest

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from pam.monitoring.metrics import exposition


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus's page, for who brings PAM_METRICS_TOKEN: `Authorization: Bearer ...`. Without such a setting: 404.

    Asked as often as one likes: the database is looked at once a minute.
    """
    token = settings.PAM_METRICS_TOKEN
    if not token:
        raise Http404
    given = request.headers.get("Authorization", "")
    if not compare_digest(given.encode(), f"Bearer {token}".encode()):
        return HttpResponse("Authorization: Bearer PAM_METRICS_TOKEN\n", status=401, content_type="text/plain")
    return HttpResponse(exposition(DEFAULT_DB_ALIAS), content_type=CONTENT_TYPE_LATEST)
