"""An installation is guarded: what Django's own check asks for, HTTPS, cookies; a checkout needs none of it."""

import subprocess
from runpy import run_path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client, override_settings

from menshun.security import YEAR, security_settings
from tests.support.embedded import CHECKOUT, KEY, manage

# Nobody listens there, and nothing here asks for it.
INSTALLED = {"DATABASE_URL": "postgresql://pam@127.0.0.1:9/vault", "SECRET_KEY": KEY, "ALLOWED_HOSTS": "testserver"}


def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The settings of an installation."""
    for name, value in INSTALLED.items():
        monkeypatch.setenv(name, value)
    return run_path(str(CHECKOUT / "menshun" / "settings.py"))


def check(*options: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return manage(CHECKOUT, "check", *options, environment=environment)


def test_an_installation_passes_djangos_own_check() -> None:
    ended = check("--deploy", "--fail-level", "WARNING", **INSTALLED)
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stderr
    assert "no issues (0 silenced)" in ended.stdout


def test_it_is_reached_by_https_only_and_its_cookies_too(monkeypatch: pytest.MonkeyPatch) -> None:
    found = installed(monkeypatch)
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


def test_a_checkout_needs_none_of_it() -> None:
    ended = check()
    assert (ended.returncode, ended.stderr) == (0, "")
    printed = manage(CHECKOUT, "diffsettings").stdout
    for name in security_settings(behind_proxy=False):
        assert f"{name} = " not in printed
