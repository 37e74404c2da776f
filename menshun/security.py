"""What an installation is guarded with. A checkout and its embedded server are reached by this machine only."""

from typing import Any

from csp.constants import NONE, SELF

HOUR = 60 * 60
YEAR = 365 * 24 * HOUR

# What a page may load and run: files of this site. Nothing inline, so that text which somebody got into a page is text.
# A checkout has it too: who develops there sees at once what would not work.
PAGE_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "object-src": [NONE],
        "frame-ancestors": [NONE],
    }
}


def security_settings(*, behind_proxy: bool) -> dict[str, Any]:
    """Django's settings for sessions and HTTPS where DATABASE_URL is set; what is Django's default is not repeated.

    Only `behind_proxy` a header says that a request came by HTTPS, and it says so of proxies that are trusted only:
    see `menshun.proxies`.
    """
    return {
        "SECURE_SSL_REDIRECT": True,
        # Prometheus asks from within, by plain HTTP; /healthz is answered before this is looked at.
        "SECURE_REDIRECT_EXEMPT": [r"^metrics$"],
        "SECURE_HSTS_SECONDS": YEAR,
        "SECURE_HSTS_INCLUDE_SUBDOMAINS": True,
        "SECURE_HSTS_PRELOAD": True,
        "SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https") if behind_proxy else None,
        "SESSION_COOKIE_SECURE": True,
        "CSRF_COOKIE_SECURE": True,
        "CSRF_COOKIE_HTTPONLY": True,
        # A working day, and no longer than the browser is open.
        "SESSION_COOKIE_AGE": 8 * HOUR,
        "SESSION_EXPIRE_AT_BROWSER_CLOSE": True,
    }


def static_file_settings() -> dict[str, Any]:
    """Django's settings for static files where DATABASE_URL is set: served by the site itself, compressed, and under
    names that change with their contents, so that browsers may keep them. `collectstatic` gathers them before."""
    return {
        "STORAGES": {
            "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
            "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
        },
        # No other site has a use for them.
        "WHITENOISE_ALLOW_ALL_ORIGINS": False,
    }
