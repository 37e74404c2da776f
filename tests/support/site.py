"""The whole site as it is served: gunicorn with TLS, and settings from an environment as an installation has them."""

import io
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.db import connections

PASSWORD = "correct horse battery staple"  # noqa: S105 (of people who live for one run)
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Site:
    """Where it is, which database is behind it, and what its processes wrote."""

    address: str
    alias: str
    log: Path


@contextmanager
def serve(alias: str, folder: Path) -> Iterator[Site]:
    """The site of the database behind `alias`; certificate, static files and log are put into the folder."""
    key, certificate = _certificate(folder)
    environment = _environment(alias)
    manage = [sys.executable, str(ROOT / "manage.py")]
    subprocess.run([*manage, "collectstatic", "--noinput", "-v0"], env=environment, check=True)
    # The socket is open before the server is: who comes early waits in its queue.
    with socket.create_server(("localhost", 0)) as listening, (folder / "site.log").open("wb") as log:
        bind = ["--bind", f"fd://{listening.fileno()}", "--certfile", str(certificate), "--keyfile", str(key)]
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "menshun.wsgi", "--workers", "2", *bind],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
            pass_fds=[listening.fileno()],
        )
        try:
            yield Site(f"https://localhost:{listening.getsockname()[1]}", alias, folder / "site.log")
        finally:
            process.terminate()
            process.wait()


def make_staff(alias: str) -> None:
    """Somebody in each role, named like it, and a superuser `root`; all have one password."""
    call_command("pam_roles", database=alias, stdout=io.StringIO())
    # Hashed as an installation does, whatever the tests do meanwhile.
    password = PBKDF2PasswordHasher().encode(PASSWORD, "salt-of-a-test")
    User.objects.using(alias).create(username="root", password=password, is_staff=True, is_superuser=True)
    for group in Group.objects.using(alias).all():
        user = User.objects.using(alias).create(username=group.name, password=password, is_staff=True)
        user.groups.add(group)


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A key and a certificate that nobody signed but itself."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    subprocess.run([*request, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return key, certificate


def _environment(alias: str) -> dict[str, str]:
    """What an installation has in its environment."""
    database = connections[alias].settings_dict
    where = ":".join(filter(None, [quote(str(database["HOST"]), safe=""), str(database["PORT"] or "")]))
    who = ":".join(filter(None, [database["USER"], quote(database["PASSWORD"], safe="")]))
    return {
        **os.environ,
        "DATABASE_URL": f"postgresql://{who}@{where}/{database['NAME']}",
        "SECRET_KEY": "the-key-of-a-site-that-lives-for-one-run-of-the-tests",
        "ALLOWED_HOSTS": "localhost",
    }
