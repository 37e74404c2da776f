"""The admin's site: Django's own, whose pages to sign in and out and for one's own password are a transaction each."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_login_failed
from django.core.exceptions import ValidationError
from django.db import OperationalError, connections, router, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.utils.cache import add_never_cache_headers

from pam.models import AuditLog
from pam.postgres.errors import is_busy
from pam.postgres.locks import lock_limit
from pam.sign_ins import password_changed

View = TypeVar("View", bound=Callable[..., HttpResponseBase])

# How long a page waits for a lock, in milliseconds. Whoever keeps readers or writers out for longer has a table for
# himself alone, and each page that waits has a thread of the web server.
LOCK_MS = 5_000


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
    """What these pages do, and its event (see `pam.sign_ins`), happen both or not at all.

    No page of the site waits for a lock longer than LOCK_MS.
    """

    login_form = StaffSignInForm

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        """Django has every page pass through here but the one to sign in."""
        return _unless_busy(super().admin_view(view, cacheable))

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if request.method != "POST":
            # Whoever only looks at the form costs the database nothing; who brings a session is looked for.
            shown = super().login
            has_session = settings.SESSION_COOKIE_NAME in request.COOKIES
            return (_unless_busy(shown) if has_session else shown)(request, extra_context)
        return _unless_busy(self._sign_in)(request, extra_context)

    def _sign_in(self, request: HttpRequest, extra_context: Any) -> HttpResponse:
        with _transaction():
            return super().login(request, extra_context)

    def logout(self, request: HttpRequest, extra_context: Any = None) -> TemplateResponse:
        with _transaction():
            return super().logout(request, extra_context)

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> TemplateResponse:
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
    """The view; or, where somebody holds a lock that it needs for too long, a page that says so: nothing was done."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **options: Any) -> HttpResponseBase:
        try:
            with lock_limit(connections[router.db_for_write(AuditLog)], LOCK_MS):
                page = view(request, *args, **options)
                # Rows may be read by the template.
                return page.render() if isinstance(page, TemplateResponse) else page
        except OperationalError as error:
            if not is_busy(error):
                raise
        page = render(request, "pam/busy.html", status=503)
        page["Retry-After"] = str(LOCK_MS // 1000)
        add_never_cache_headers(page)
        return page

    return cast("View", answer)


def _transaction() -> Any:
    return transaction.atomic(using=router.db_for_write(User))
