"""URLs: the admin is the whole site, but for what machines read."""

from django.contrib import admin
from django.urls import path
from django.views.generic import RedirectView

from pam.views import metrics

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("metrics", metrics),
]
