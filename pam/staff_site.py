"""The admin's site: Django's own, whose pages to sign in and out and for one's own password are a transaction each."""

from typing import Any, cast

from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_login_failed
from django.core.exceptions import ValidationError
from django.db import router, transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from pam.sign_ins import password_changed


class StaffSignInForm(AdminAuthenticationForm):
    """Django's, that takes the right password of an account that is none of staff for a failure like all others: it is
    told and counted, so that nobody learns here at leisure which password is right."""

    def confirm_login_allowed(self, user: User) -> None:
        try:
            super().confirm_login_allowed(user)
        except ValidationError:
            credentials = {"username": user.get_username()}
            user_login_failed.send(sender=__name__, credentials=credentials, request=self.request)
            raise


class StaffSite(admin.AdminSite):
    """What these pages do, and its event (see `pam.sign_ins`), happen both or not at all."""

    login_form = StaffSignInForm

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if request.method != "POST":
            return super().login(request, extra_context)  # whoever only looks at the form costs the database nothing
        with _transaction():
            return super().login(request, extra_context)

    def logout(self, request: HttpRequest, extra_context: Any = None) -> TemplateResponse:
        with _transaction():
            return super().logout(request, extra_context)

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> TemplateResponse:
        with _transaction():
            response = super().password_change(request, extra_context)
            # The form comes back with what is wrong, or leads on.
            if request.method == "POST" and response.status_code == 302:
                password_changed(request, cast(User, request.user))
            return response


def _transaction() -> Any:
    return transaction.atomic(using=router.db_for_write(User))
