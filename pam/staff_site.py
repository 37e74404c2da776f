"""The admin's site: Django's own, whose pages to sign in and out and for one's own password are a transaction each."""

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_login_failed
from django.core.exceptions import ValidationError
from django.db import OperationalError, router, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.utils.cache import add_never_cache_headers

from pam.postgres.errors import LOCK_NOT_AVAILABLE, sqlstate
from pam.sign_ins import password_changed

View = Callable[..., HttpResponse]

# Who is told that something is busy may try again after so many seconds.
RETRY_SECONDS = 5


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
        return _unless_busy(self._sign_in)(request, extra_context)

    def _sign_in(self, request: HttpRequest, extra_context: Any) -> HttpResponse:
        with _transaction():
            return super().login(request, extra_context)

    def logout(self, request: HttpRequest, extra_context: Any = None) -> TemplateResponse:
        with _transaction():
            return super().logout(request, extra_context)

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> Any:
        return _unless_busy(self._change_password)(request, extra_context)

    def _change_password(self, request: HttpRequest, extra_context: Any) -> HttpResponse:
        with _transaction():
            if request.method == "POST" and self._is_turned_away(request):
                return TemplateResponse(request, "403.html", status=429)  # the page that says why comes in its place
            response = super().password_change(request, extra_context)
            # The form comes back with what is wrong, or leads on.
            if request.method == "POST" and response.status_code == 302:
                password_changed(request, cast(User, request.user))
            return response

    def _is_turned_away(self, request: HttpRequest) -> bool:
        """Whether too much failed. A wrong old password is a failure like one at the sign-in, told and counted, so that
        nobody guesses at leisure in somebody's unattended session."""
        old = request.POST.get("old_password")
        if old and authenticate(request, username=request.user.get_username(), password=old) is None:
            return bool(request.axes_locked_out)  # type: ignore[attr-defined]
        return False


def _unless_busy(view: View) -> View:
    """The view; or, where what it needs was held by others for too long, a page that says so: nothing was done."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
        try:
            return view(request, *args, **options)
        except OperationalError as error:
            if sqlstate(error) != LOCK_NOT_AVAILABLE:
                raise
        page = render(request, "pam/busy.html", status=503)
        page["Retry-After"] = str(RETRY_SECONDS)
        add_never_cache_headers(page)
        return page

    return answer


def _transaction() -> Any:
    return transaction.atomic(using=router.db_for_write(User))
