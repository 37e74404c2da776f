"""Where a request comes from: a proxy is believed only if it is configured, and then only as far as it can know."""

from ipaddress import ip_address
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory, override_settings

from menshun.proxies import TrustedProxies, address_in, heed_proxies, read_proxies

pytestmark = pytest.mark.once

OURS = read_proxies({"PAM_TRUSTED_PROXIES": " 10.0.0.7, 10.1.0.0/16,2001:db8:1::/64 "})
STRANGER = "203.0.113.9"


def seen(peer: str, proxies: TrustedProxies = OURS, **headers: str) -> HttpRequest:
    """The request that the site sees."""
    with override_settings(PAM_TRUSTED_PROXIES=proxies, SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https")):
        requests: list[HttpRequest] = []

        def site(request: HttpRequest) -> HttpResponse:
            requests.append(request)
            return HttpResponse("s" if request.is_secure() else "p")

        sent: Any = {name.replace("_", "-"): value for name, value in headers.items()}
        request = RequestFactory().get("/", REMOTE_ADDR=peer, headers=sent)
        request.META["secure"] = heed_proxies(site)(request).content == b"s"
    return requests[0]


def client(peer: str, forwarded_for: str, proxies: TrustedProxies = OURS) -> str:
    address: str = seen(peer, proxies, X_Forwarded_For=forwarded_for).META["REMOTE_ADDR"]
    return address


@pytest.mark.parametrize(
    ("forwarded_for", "who"),
    [
        (STRANGER, STRANGER),
        (f"{STRANGER}, 10.1.2.3", STRANGER),
        (f"127.0.0.1, 10.0.0.7, {STRANGER}, 10.1.2.3,10.1.255.255", STRANGER),
        (f"1.1.1.1,{STRANGER}", STRANGER),
        (f"{STRANGER}:51234", STRANGER),
        ("[2001:db8:2::9]:51234", "2001:db8:2::9"),
        ("2001:DB8:2:0::9, 2001:db8:1::1", "2001:db8:2::9"),
        (f"::ffff:{STRANGER}", STRANGER),
        ("fe80::1%eth0", "fe80::1"),
        ("10.1.0.1, 10.1.0.2", "10.1.0.1"),
        ("", "10.0.0.7"),
        ("unknown", "10.0.0.7"),
        (f"{STRANGER}, unknown, 10.1.0.2", "10.1.0.2"),
        (f"{STRANGER}, ", "10.0.0.7"),
        ("999.1.1.1", "10.0.0.7"),
        ("10.1.0.1\x00", "10.0.0.7"),
        ("'; DROP TABLE sessions; --", "10.0.0.7"),
        ("x," * 10_000 + STRANGER, STRANGER),
    ],
)
def test_a_proxy_that_is_trusted_is_believed_as_far_as_it_can_know(forwarded_for: str, who: str) -> None:
    assert client("10.0.0.7", forwarded_for) == who


@pytest.mark.parametrize("peer", [STRANGER, "10.0.0.8", "2001:db8:2::1", "::1", "127.0.0.1"])
def test_headers_of_anybody_else_are_not(peer: str) -> None:
    request = seen(peer, X_Forwarded_For="10.0.0.7", X_Forwarded_Proto="https", X_Forwarded_Host="evil.example")
    assert request.META["REMOTE_ADDR"] == peer
    assert not request.META["secure"]
    assert not [name for name in request.META if name.startswith("HTTP_X_FORWARDED")]
    assert client(peer, "192.0.2.1", TrustedProxies()) == peer


def test_a_peer_is_known_in_either_clothes() -> None:
    assert client("::ffff:10.0.0.7", STRANGER) == STRANGER
    assert client("::ffff:10.0.0.8", STRANGER) == "10.0.0.8"
    assert client("fe80::1%eth0", STRANGER) == "fe80::1", "as the database can hold it"


def test_who_comes_by_a_unix_socket_has_no_address_but_that_of_a_header_if_it_is_trusted() -> None:
    assert client("", STRANGER) == ""
    assert client("", STRANGER, TrustedProxies(unix=True)) == STRANGER
    assert client("", "", TrustedProxies(unix=True)) == ""
    assert client("10.0.0.7", STRANGER, TrustedProxies(unix=True)) == "10.0.0.7"


@pytest.mark.parametrize(
    ("said", "is_secure"),
    [
        ("https", True),
        ("HTTPS", True),
        ("https, https", True),
        ("http", False),
        ("", False),
        ("https, http", False),
        ("http, https", False),
        ("https,", False),
        ("httpsx", False),
    ],
)
def test_https_is_what_every_proxy_says(said: str, is_secure: bool) -> None:
    assert seen("10.0.0.7", X_Forwarded_Proto=said).META["secure"] == is_secure


def test_a_trusted_proxy_that_says_nothing_came_by_http() -> None:
    assert not seen("10.0.0.7", X_Forwarded_For=STRANGER).META["secure"]


def test_none_are_trusted_unless_named() -> None:
    for text in ({}, {"PAM_TRUSTED_PROXIES": " , "}):
        assert not read_proxies(text)
    assert read_proxies({"PAM_TRUSTED_PROXIES": "unix"}).trust(None)
    assert not OURS.trust(None)
    assert OURS.trust(ip_address("10.1.255.255"))


@pytest.mark.parametrize("text", ["proxy.example.com", "10.0.0.0/33", "10.0.0.7/16", "10.0.0.7;10.0.0.8", "2"])
def test_what_is_no_network_is_refused_by_name(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"PAM_TRUSTED_PROXIES: .* Write it like this"):
        read_proxies({"PAM_TRUSTED_PROXIES": text})


@pytest.mark.parametrize("text", ["0.0.0.0/0", "10.0.0.7, ::/0"])
def test_not_everybody_can_be_trusted(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="is everybody"):
        read_proxies({"PAM_TRUSTED_PROXIES": text})


def test_what_a_proxy_writes_down() -> None:
    for text in ("", " ", "unknown", "_hidden", "1.2.3", "1.2.3.4.5", "[", "[]", ":", "::g", "1.2.3.4/8", "٣.1.1.1"):
        assert address_in(text) is None, text
    assert address_in("::1%lo") == ip_address("::1")
