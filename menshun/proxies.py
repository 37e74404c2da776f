"""Where a request comes from: the other end of the connection, or what a proxy that is trusted says of it.

PAM_TRUSTED_PROXIES names these proxies by address or network: `10.0.0.7, 10.1.0.0/16, 2001:db8::/64`; `unix` stands for
whoever connects by a Unix socket, who has no address, and whom the permissions of the socket let in.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse

VARIABLE = "PAM_TRUSTED_PROXIES"
UNIX = "unix"
HEADERS = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PORT")

Address = IPv4Address | IPv6Address
Handler = Callable[[HttpRequest], HttpResponse]


@dataclass(frozen=True)
class TrustedProxies:
    """The proxies whose word is taken for where a request comes from."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    unix: bool = False

    def __bool__(self) -> bool:
        return bool(self.networks) or self.unix

    def trust(self, peer: Address | None) -> bool:
        """Whether the other end of a connection is one of them; None is one that has no address."""
        return self.unix if peer is None else any(peer in network for network in self.networks)

    def client(self, peer: Address | None, forwarded_for: str) -> Address | None:
        """Who asks: the last in the chain that is not one of them.

        The chain is read from its end, which proxies of ours wrote; its beginning may be anybody's invention. What is
        no address ends it: then the proxy that wrote that down is as far as is known.
        """
        found = peer
        for text in reversed(forwarded_for.split(",")):
            if not self.trust(found):
                break
            before = address_in(text)
            if before is None:
                break
            found = before
        return found


def read_proxies(variables: Mapping[str, str]) -> TrustedProxies:
    """PAM_TRUSTED_PROXIES; ImproperlyConfigured if part of it is no network, or is everybody."""
    parts = {part.strip() for part in variables.get(VARIABLE, "").split(",")} - {""}
    return TrustedProxies(tuple(_network(part) for part in sorted(parts - {UNIX})), unix=UNIX in parts)


def address_in(text: str) -> Address | None:
    """The address that a proxy writes down, some with a port (`192.0.2.7:443`, `[2001:db8::7]:443`); None if none is.

    An IPv4 address in the clothes of IPv6 is one of IPv4; the zone of a link (`%eth0`) means nothing elsewhere.
    """
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def heed_proxies(get_response: Handler) -> Handler:
    """Middleware, before all others: REMOTE_ADDR is then whoever asks, and headers of whom nobody trusts are gone.

    Behind a proxy that is trusted X-Forwarded-Proto is `https` only if every proxy on the way says so.
    """
    proxies: TrustedProxies = settings.PAM_TRUSTED_PROXIES

    def handle(request: HttpRequest) -> HttpResponse:
        peer = address_in(request.META.get("REMOTE_ADDR", ""))
        client = peer
        if proxies.trust(peer):
            client = proxies.client(peer, request.META.get("HTTP_X_FORWARDED_FOR", ""))
            schemes = {scheme.strip().lower() for scheme in request.META.get("HTTP_X_FORWARDED_PROTO", "").split(",")}
            request.META["HTTP_X_FORWARDED_PROTO"] = "https" if schemes == {"https"} else "http"
        else:
            for header in HEADERS:
                request.META.pop(header, None)
        request.META["REMOTE_ADDR"] = "" if client is None else str(client)
        return get_response(request)

    return handle


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        network = ip_network(text)
    except ValueError as error:
        raise ImproperlyConfigured(
            f"{VARIABLE}: {error}. Write it like this: {VARIABLE}=10.0.0.7,10.1.0.0/16 or {VARIABLE}={UNIX}."
        ) from error
    if network.prefixlen == 0:
        raise ImproperlyConfigured(f"{VARIABLE}: {text} is everybody, who could claim any address. Name your proxies.")
    return network
