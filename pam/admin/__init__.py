"""The admin: one file per subject, each with the pages of one table."""

from django.contrib import admin

from pam.admin import assignments, audit, credentials, identities, roles, rotations, sessions, users

__all__ = ["assignments", "audit", "credentials", "identities", "roles", "rotations", "sessions", "users"]

admin.site.site_header = "menshun"
admin.site.site_title = "menshun"
admin.site.index_title = "Privileged access"
