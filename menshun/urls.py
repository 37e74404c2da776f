"""URLs: the admin is the whole site, but for what machines read."""

import sys

from django.contrib import admin
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import include, path
from django.views import defaults
from django.views.generic import RedirectView

from pam.views import metrics


def nowhere(request: HttpRequest, rest: str) -> HttpResponse:
    """No row has a page outside the admin; Django's way there fails at ids that are none."""
    raise Http404


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's page for what nobody foresaw; 503, and not 500, if that is a database that does not answer."""
    page = defaults.server_error(request)
    if isinstance(sys.exc_info()[1], OperationalError):
        page.status_code = 503
    return page


handler500 = server_error
urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    # The admin's own addresses end in one that takes all others.
    path("admin/database/", include("pam.admin.database.urls")),
    path("admin/r/<path:rest>", nowhere),
    path("admin/", admin.site.urls),
    path("metrics", metrics),
]
