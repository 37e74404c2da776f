"""URLs: the admin is the whole site, but for what machines read."""

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import include, path
from django.views.generic import RedirectView

from pam.views import metrics


def nowhere(request: HttpRequest, rest: str) -> HttpResponse:
    """No row has a page outside the admin; Django's way there fails at ids that are none."""
    raise Http404


urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    # The admin's own addresses end in one that takes all others.
    path("admin/database/", include("pam.admin.database.urls")),
    path("admin/r/<path:rest>", nowhere),
    path("admin/", admin.site.urls),
    path("metrics", metrics),
]
