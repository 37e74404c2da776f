"""Settings of gunicorn, which reads this file where it is started: `gunicorn menshun.wsgi --bind 127.0.0.1:8000`."""

import os
from pathlib import Path
from typing import Any

# Browsers open connections ahead of need, and with TLS each of them keeps a thread waiting until it is used or closed.
threads = 32

# Which proxies are believed is said in one place, PAM_TRUSTED_PROXIES (see menshun/proxies.py). Gunicorn by itself
# would take the word of everybody on this machine for it that a request came by HTTPS.
forwarded_allow_ips = ""


def on_starting(server: Any) -> None:
    """Each page would fail for want of its style, with a traceback that does not say what to do."""
    if "DATABASE_URL" in os.environ and not Path("staticfiles", "staticfiles.json").exists():
        server.log.error(
            "No page can be shown before its styles are gathered: python manage.py collectstatic --noinput"
        )
