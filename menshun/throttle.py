"""Who fails to sign in too often is turned away: what django-axes, whose counts all processes share, leaves to us."""

from datetime import timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.db import connections, router
from django.db.models import Max, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import add_never_cache_headers

from pam.postgres.locks import lock_limit
from pam.sign_ins import typed_name

# Failures from one address with whatever names, as when one password is tried with each.
ADDRESS_LIMIT = 50
# Whoever has one address of IPv6 has all that begin with the same bits.
IPV6_BITS = 64
MINUTE = timedelta(minutes=1)
# How long a try waits for those before it, in milliseconds: each that waits has a thread of the web server to itself.
TURN_MS = 2_000


class Counter(AxesDatabaseHandler):
    """The library's count, of a name at an address; an address that has failed with many names has failed with all."""

    def is_allowed(self, request: HttpRequest, credentials: Any = None) -> bool:
        """Tries of a name from an address are looked at one after the other: of many at once each would find that none
        has failed yet. Lock: an advisory one, until the transaction of the page ends. Who would wait for it longer than
        TURN_MS gets no answer whether he is allowed: an error with SQLSTATE 55P03 (see `pam.staff_site`)."""
        connection = connections[router.db_for_write(AccessAttempt)]
        with lock_limit(connection, TURN_MS), connection.cursor() as cursor:
            asked = f"menshun.throttle {address_of(request)} {typed_name(request, credentials)}"
            cursor.execute("SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(%s, 0))", [asked])
        return bool(super().is_allowed(request, credentials))

    def get_failures(self, request: HttpRequest, credentials: Any = None) -> int:
        failures: int = super().get_failures(request, credentials)
        return max(failures, settings.AXES_FAILURE_LIMIT) if is_address_locked(request) else failures


def address_of(request: HttpRequest) -> str | None:
    """Where a request comes from, of IPv6 the first address of its network; None if that is a Unix socket, and no proxy
    that is trusted knows more."""
    text = request.META.get("REMOTE_ADDR")
    if not text:
        return None
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        address = ip_network((address, IPV6_BITS), strict=False).network_address
    return str(address)


def is_address_locked(request: HttpRequest) -> bool:
    """Whether too much failed from here. All who have no address are not counted as one."""
    if address_of(request) is None:
        return False
    failures = _attempts(request).aggregate(all=Sum("failures_since_start"))["all"]
    return (failures or 0) >= ADDRESS_LIMIT


def refuse(request: HttpRequest, response: HttpResponse, credentials: Any) -> HttpResponse:
    """The page for who is turned away: when to try again, which what is tried until then does not put off."""
    attempts, now, every_name = _attempts(request), timezone.now(), is_address_locked(request)
    if not every_name:
        attempts = attempts.filter(username=typed_name(request, credentials))
    until = (attempts.aggregate(last=Max("attempt_time"))["last"] or now) + settings.AXES_COOLOFF_TIME
    # To the minute, and not before.
    told = {"until": until.replace(second=0) + MINUTE, "every_name": every_name}
    page = render(request, "pam/turned_away.html", told, status=429)
    page["Retry-After"] = str(int((until - now).total_seconds()) + 1)
    add_never_cache_headers(page)
    return page


def _attempts(request: HttpRequest) -> QuerySet[Any]:
    since = timezone.now() - settings.AXES_COOLOFF_TIME
    return AccessAttempt.objects.filter(ip_address=address_of(request), attempt_time__gte=since)
