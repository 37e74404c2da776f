"""Who signs in and out, and who tries to: each leaves its event, or it does not happen.

Django and django-axes tell of it by signals, in the transaction of the page (see `pam.staff_site`).
"""

from collections.abc import Mapping
from typing import Any

import axes.signals  # noqa: F401 (so that axes hears before us: a failure that locks somebody out is known as such)
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest

from pam.models.audit import EventType, Result, Severity
from pam.trail import Origin, record

# As long as a name can be.
LONGEST_NAME = 150


def typed_name(request: HttpRequest, credentials: Mapping[str, Any] | None = None) -> str:
    """The name that somebody typed to sign in, as a text that the database can hold, cut off where no name goes on."""
    name = str((request.POST if credentials is None else credentials).get("username") or "")
    name = name.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"


@receiver(user_logged_in)
def signed_in(request: HttpRequest, user: User, **_: Any) -> None:
    """Written down before there is a session: without it there is none."""
    record(Origin.of(request), EventType.AUTHENTICATION, "account.signed_in", f"Sign-in: {user}", target=user)


@receiver(user_logged_out)
def signed_out(request: HttpRequest, user: User | None, **_: Any) -> None:
    """Of a stranger, who has nothing to leave, nothing is written down."""
    if user is not None:
        record(Origin.of(request), EventType.AUTHENTICATION, "account.signed_out", f"Sign-out: {user}", target=user)


@receiver(user_login_failed)
def failed(credentials: Mapping[str, Any], request: HttpRequest, **_: Any) -> None:
    """The name that was typed, never the password. The failure that is one too many is told as such, and tries that are
    turned away from then on are not: axes does not count those either."""
    is_locked_out, count = request.axes_locked_out, request.axes_failures_since_start  # type: ignore[attr-defined]
    if is_locked_out and count is None:
        return
    name = typed_name(request, credentials)
    # Asked for whether there is one or not: how long the answer takes does not tell.
    account = User.objects.filter(username=name).first()
    origin = Origin.of(request)
    record(
        origin,
        EventType.AUTHENTICATION,
        "account.sign_in_failed",
        f"Sign-in failed: {name}",
        target=account,
        new={"name": name},
        result=Result.FAILURE,
        severity=Severity.WARNING,
    )
    if is_locked_out:
        record(
            origin,
            EventType.AUTHENTICATION,
            "account.locked_out",
            f"Sign-in turned away from now on, after too many failures: {name}",
            target=account,
            new={"name": name},
            result=Result.DENIED,
            severity=Severity.HIGH,
        )


def password_changed(request: HttpRequest, user: User) -> None:
    """Write down that somebody changed their own password, in the caller's transaction."""
    record(
        Origin.of(request),
        EventType.AUTHENTICATION,
        "account.password_changed",
        f"Own password changed: {user}",
        target=user,
        severity=Severity.WARNING,
    )
