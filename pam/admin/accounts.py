"""Who works here, and in which groups: Django's own pages, whose edits leave their audit event like all others."""

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.forms import UserChangeForm
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.db import router, transaction
from django.http import HttpRequest, HttpResponse

from pam.admin.bounded import BoundedAdmin
from pam.admin.trail import TrailedAdmin, values_of
from pam.models.audit import EventType, Severity
from pam.trail import Change

admin.site.unregister([User, Group])


class AccountForm(UserChangeForm):  # type: ignore[type-arg]
    """Django's, with the rule of its form for new accounts: names differ by more than case, for the audit log has them
    in lower case."""

    def clean_username(self) -> str:
        name: str = self.cleaned_data["username"]
        if User.objects.filter(username__iexact=name).exclude(pk=self.instance.pk).exists():
            raise ValidationError("An account has this name already, in upper or lower case.")
        return name


@admin.register(User)
class AccountAdmin(TrailedAdmin, BoundedAdmin, UserAdmin):  # type: ignore[type-arg]
    """An account for these pages; people with privileges in Entra are privileged users."""

    form = AccountForm
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
class AccountGroupAdmin(TrailedAdmin, BoundedAdmin, GroupAdmin):
    """What the accounts of a group may do."""

    noun = "group"
    event_type = EventType.AUTHORIZATION
    severity = Severity.WARNING

    def deletion(self, row: Group) -> Change:
        """Whoever was in it loses what it allowed, which no event of theirs tells."""
        members = sorted(row.user_set.values_list("username", flat=True))
        return self._change("deleted", row, {**values_of(row), "members": members}, {})
