"""Settings of gunicorn, which reads this file where it is started: `gunicorn menshun.wsgi --bind 127.0.0.1:8000`."""

import os
from importlib import import_module
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

# Browsers open connections ahead of need, and with TLS each of them keeps a thread waiting until it is used or closed.
threads = 32

# Which proxies are believed is said in one place, PAM_TRUSTED_PROXIES (see menshun/proxies.py). Gunicorn by itself
# would take the word of everybody on this machine for it that a request came by HTTPS.
forwarded_allow_ips = ""


def on_starting(server: Any) -> None:
    """What is missing is told in a line, not by tracebacks of each worker, or of each page that lacks its style."""
    try:
        import_module("menshun.settings")
    except ImproperlyConfigured as error:
        raise SystemExit(f"ImproperlyConfigured: {error}") from None
    if "DATABASE_URL" in os.environ and not Path("staticfiles", "staticfiles.json").exists():
        server.log.error(
            "No page can be shown before its styles are gathered: python manage.py collectstatic --noinput"
        )
