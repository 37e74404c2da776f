"""The admin: one file per subject, each with the pages of one table; the reports are in one, Django's own too."""

from django.contrib import admin

from pam.admin import accounts, assignments, audit, credentials, identities, reports, roles, rotations, sessions, users

__all__ = [
    "accounts",
    "assignments",
    "audit",
    "credentials",
    "identities",
    "reports",
    "roles",
    "rotations",
    "sessions",
    "users",
]

admin.site.site_header = "menshun"
admin.site.site_title = "menshun"
admin.site.index_title = "Privileged access"
