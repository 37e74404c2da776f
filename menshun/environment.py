"""What the environment says: DATABASE_URL, and with it SECRET_KEY and ALLOWED_HOSTS.

Without DATABASE_URL this is a developer's checkout with its embedded server. With it, this is a real installation:
nothing has a default then, and debugging is off.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import dj_database_url
from django.core.checks.security.base import (
    SECRET_KEY_INSECURE_PREFIX,
    SECRET_KEY_MIN_LENGTH,
    SECRET_KEY_MIN_UNIQUE_CHARACTERS,
)
from django.core.exceptions import ImproperlyConfigured

from menshun.embedded.server import DATABASE, SUPERUSER
from menshun.embedded.sockets import PORT, socket_folder

EXAMPLE = "postgresql://menshun:PASSWORD@db.example.com:5432/menshun"
SCHEMES = ("postgresql://", "postgres://")
CONNECT_SECONDS = 10
LEAST_SECRET = 20

# Not a secret: it signs the sessions of a server that only this machine reaches.
DEVELOPMENT_KEY = "development-only-key-of-a-checkout-without-DATABASE_URL"


@dataclass(frozen=True)
class Environment:
    """The settings that differ between a checkout and an installation."""

    database: Mapping[str, Any]
    secret_key: str
    allowed_hosts: list[str]
    debug: bool


def read_environment(variables: Mapping[str, str], embedded_folder: Path) -> Environment:
    """The settings that follow from the environment's variables; ImproperlyConfigured says all that is wrong."""
    url = variables.get("DATABASE_URL")
    if url is None:
        hosts = ["localhost", "127.0.0.1", "[::1]"]
        return Environment(_embedded_database(embedded_folder), DEVELOPMENT_KEY, hosts, debug=True)
    secret_key = variables.get("SECRET_KEY", "").strip()
    hosts = [host.strip() for host in variables.get("ALLOWED_HOSTS", "").split(",") if host.strip()]
    problems = [problem for problem in (_url_problem(url), _key_problem(secret_key), _hosts_problem(hosts)) if problem]
    if problems:
        raise ImproperlyConfigured(
            " ".join([*problems, "To use the embedded server of this checkout instead: unset DATABASE_URL"])
        )
    return Environment(_own_database(url), secret_key, hosts, debug=False)


def whole_number(variables: Mapping[str, str], name: str, default: int, least: int = 1) -> int:
    """A variable that counts something, at least `least`; ImproperlyConfigured if it is set to anything else."""
    text = variables.get(name, "").strip() or str(default)
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise ImproperlyConfigured(f"{name} must be a whole number from {least} on, such as {default}; it is {text!r}.")
    return int(text)


def secret(variables: Mapping[str, str], name: str) -> str | None:
    """A variable that is a secret, long enough not to be guessed; None if it is not set."""
    text = variables.get(name, "").strip()
    if text and len(text) < LEAST_SECRET:
        raise ImproperlyConfigured(
            f"{name} is shorter than {LEAST_SECRET} characters. Make one: "
            "python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
    return text or None


def _embedded_database(folder: Path) -> dict[str, Any]:
    return {
        "ENGINE": "psqlextra.backend",
        "NAME": DATABASE,
        "USER": SUPERUSER,
        "HOST": str(socket_folder(folder.resolve())),
        "PORT": str(PORT),
        "EMBEDDED_SERVER": folder,  # tells our database backend to have that server running
    }


def _own_database(url: str) -> dict[str, Any]:
    database = cast(dict[str, Any], dj_database_url.parse(url, engine="psqlextra.backend"))
    options = database.setdefault("OPTIONS", {})
    options.setdefault("connect_timeout", CONNECT_SECONDS)
    if not database["PORT"] and not options.keys() & {"port", "service"}:
        database["PORT"] = PORT  # that server and nothing else, also where PGPORT is set
    return database


def _url_problem(url: str) -> str | None:
    # No message shows the URL: it holds a password.
    if not url.strip():
        # Not taken for "not set": a deployment with an empty variable would quietly migrate a server of its own.
        what = "is set, but empty"
    elif not url.startswith(SCHEMES):
        what = f"does not begin with {SCHEMES[0]}"
    elif _has_bad_port(url):
        what = "has a port that is not a number from 0 to 65535"
    elif not _is_url(url):
        what = "is not a URL; a special character in its password must be written as %XX"
    elif not urlsplit(url).path.strip("/"):
        what = "names no database"
    else:
        return None
    return f"DATABASE_URL {what}. Write it like this: DATABASE_URL='{EXAMPLE}'."


def _has_bad_port(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if "@" in url and "@" not in parts.netloc:
        return False  # the host was cut off: what stands for the port is the password up to its '/', '?' or '#'
    try:
        _ = parts.port
    except ValueError:
        return True
    return False


def _is_url(url: str) -> bool:
    try:
        dj_database_url.parse(url)
    except ValueError:
        return False
    return True


def _key_problem(secret_key: str) -> str | None:
    if not secret_key:
        what = "DATABASE_URL is set, so SECRET_KEY must be set too, to a long random text."
    elif len(secret_key) < SECRET_KEY_MIN_LENGTH or len(set(secret_key)) < SECRET_KEY_MIN_UNIQUE_CHARACTERS:
        # As `check --deploy` has it: it signs the sessions of everybody who works here.
        what = (
            f"SECRET_KEY can be guessed: it must have at least {SECRET_KEY_MIN_LENGTH} characters, "
            f"{SECRET_KEY_MIN_UNIQUE_CHARACTERS} different ones among them."
        )
    elif secret_key.startswith(SECRET_KEY_INSECURE_PREFIX):
        what = f"SECRET_KEY begins with '{SECRET_KEY_INSECURE_PREFIX}', as one that was made for development does."
    else:
        return None
    return f"{what} Make one: python -c 'import secrets; print(secrets.token_urlsafe(50))'."


def _hosts_problem(hosts: list[str]) -> str | None:
    return (
        None
        if hosts
        else "DATABASE_URL is set, so ALLOWED_HOSTS must be set too, to the names this site is reached by, separated "
        "by commas: ALLOWED_HOSTS=pam.example.com,localhost."
    )
