"""Where the pages of the database are."""

from django.urls import path

from pam.admin.database.indexes import indexes
from pam.admin.database.page import page
from pam.admin.database.partitions import partitions, timeline
from pam.admin.database.queries import queries
from pam.admin.database.settings import settings
from pam.admin.database.sizes import growth, sizes
from pam.admin.database.state import state

urlpatterns = [
    path("", page(state), name="database"),
    path("partitions/", page(partitions), name="database_partitions"),
    path("partitions/timeline.svg", page(timeline), name="database_timeline"),
    path("indexes/", page(indexes), name="database_indexes"),
    path("sizes/", page(sizes), name="database_sizes"),
    path("sizes/growth.svg", page(growth), name="database_growth"),
    path("queries/", page(queries), name="database_queries"),
    path("settings/", page(settings), name="database_settings"),
]
