"""An installation is guarded: what Django's own check asks for, HTTPS, cookies; a checkout needs none of it."""

from runpy import run_path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client, override_settings

from menshun.security import YEAR, security_settings
from tests.support.embedded import CHECKOUT, KEY, manage

pytestmark = pytest.mark.once

# Nobody listens there, and nothing here asks for it.
INSTALLED = {"DATABASE_URL": "postgresql://pam@127.0.0.1:9/vault", "SECRET_KEY": KEY, "ALLOWED_HOSTS": "testserver"}


def settings_with(monkeypatch: pytest.MonkeyPatch, **variables: str) -> dict[str, Any]:
    """The settings in an environment with these variables, and no others that say where the database is."""
    for name in INSTALLED:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return run_path(str(CHECKOUT / "menshun" / "settings.py"))


def test_an_installation_passes_djangos_own_check() -> None:
    ended = manage(CHECKOUT, "check", "--deploy", "--fail-level", "WARNING", environment=INSTALLED)
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stderr
    assert "no issues (0 silenced)" in ended.stdout


def test_it_is_reached_by_https_only_and_its_cookies_too(monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings_with(monkeypatch, **INSTALLED)
    with override_settings(**{name: found[name] for name in security_settings(behind_proxy=False)}):
        plain = Client().get("/admin/login/?next=/admin/")
        assert (plain.status_code, plain["Location"]) == (301, "https://testserver/admin/login/?next=/admin/")
        response = Client().get("/admin/login/", secure=True)
        assert response["Strict-Transport-Security"] == f"max-age={YEAR}; includeSubDomains; preload"
        assert response["X-Frame-Options"] == "DENY"
        assert response["Referrer-Policy"] == "same-origin"
        assert response["X-Content-Type-Options"] == "nosniff"
        cookie = response.cookies["csrftoken"]
        assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Lax")
        assert Client().get("/metrics").status_code == 404, "asked for by a machine within"
        forged = Client().get("/admin/login/", headers={"X-Forwarded-Proto": "https"})
        assert forged.status_code == 301
    assert (found["SESSION_COOKIE_SECURE"], found["SESSION_COOKIE_AGE"]) == (True, 8 * 60 * 60)
    assert found["SESSION_EXPIRE_AT_BROWSER_CLOSE"]
    assert (settings.SESSION_COOKIE_HTTPONLY, settings.SESSION_COOKIE_SAMESITE) == (True, "Lax")


def test_a_checkout_needs_none_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings_with(monkeypatch)
    assert found["DEBUG"]
    assert not security_settings(behind_proxy=False).keys() & found.keys()
    assert "STORAGES" not in found
    assert not [name for name in found["MIDDLEWARE"] if "whitenoise" in name]


def test_a_header_tells_https_only_behind_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings_with(monkeypatch, **INSTALLED)["SECURE_PROXY_SSL_HEADER"] is None
    found = settings_with(monkeypatch, **INSTALLED, PAM_TRUSTED_PROXIES="10.0.0.7")
    assert found["SECURE_PROXY_SSL_HEADER"] == ("HTTP_X_FORWARDED_PROTO", "https")
    assert found["MIDDLEWARE"][0] == "menshun.proxies.heed_proxies"
