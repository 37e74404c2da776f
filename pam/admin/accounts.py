"""Who works here, and in which groups: Django's own pages, whose edits leave their audit event like all others."""

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db import router, transaction
from django.http import HttpRequest, HttpResponse

from pam.admin.trail import TrailedAdmin
from pam.models.audit import EventType, Severity

admin.site.unregister([User, Group])


@admin.register(User)
class AccountAdmin(TrailedAdmin, UserAdmin):  # type: ignore[type-arg]
    """An account for these pages; people with privileges in Entra are privileged users."""

    noun = "account"
    event_type = EventType.AUTHORIZATION
    severity = Severity.WARNING

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        """Django's page for a new password works outside of a transaction."""
        view = super().user_change_password

        def in_transaction() -> HttpResponse:
            with transaction.atomic(using=router.db_for_write(User)):
                page: HttpResponse = view(request, id, form_url)
            return page

        return self.message_if_refused(request, in_transaction)


@admin.register(Group)
class AccountGroupAdmin(TrailedAdmin, GroupAdmin):
    """What the accounts of a group may do."""

    noun = "group"
    event_type = EventType.AUTHORIZATION
    severity = Severity.WARNING
