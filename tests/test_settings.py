"""What the environment's variables turn into, and the sentence for each that is missing or wrong."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from menshun.embedded.sockets import socket_folder
from menshun.environment import Environment, read_environment, whole_number
from tests.support.embedded import CHECKOUT, KEY, manage

pytestmark = pytest.mark.once

FOLDER = Path("/checkout/.postgres")
INSTALLED = {
    "DATABASE_URL": "postgresql://pam:s%40cret@db.example.com:6543/vault?sslmode=require",
    "SECRET_KEY": KEY,
    "ALLOWED_HOSTS": "pam.example.com, pam",
}


def read(variables: Mapping[str, str]) -> Environment:
    return read_environment(variables, FOLDER)


def refused(variables: Mapping[str, str]) -> str:
    with pytest.raises(ImproperlyConfigured) as caught:
        read(variables)
    return str(caught.value)


def test_without_a_url_the_embedded_server_is_used_for_development():
    found = read({"SECRET_KEY": "ignored", "ALLOWED_HOSTS": "ignored.example.com"})
    assert found.debug
    assert found.allowed_hosts == ["localhost", "127.0.0.1", "[::1]"]
    assert found.database["EMBEDDED_SERVER"] == FOLDER
    assert found.database["HOST"] == str(socket_folder(FOLDER))
    assert found.database["NAME"] == "menshun"


def test_with_a_url_that_server_and_nothing_else_is_used():
    found = read(INSTALLED)
    assert not found.debug
    assert found.secret_key == INSTALLED["SECRET_KEY"]
    assert found.allowed_hosts == ["pam.example.com", "pam"]
    wanted = {
        "ENGINE": "psqlextra.backend",
        "NAME": "vault",
        "USER": "pam",
        "PASSWORD": "s@cret",
        "HOST": "db.example.com",
        "PORT": 6543,
        "OPTIONS": {"sslmode": "require", "connect_timeout": 10},
    }
    assert wanted.items() <= found.database.items()
    assert "EMBEDDED_SERVER" not in found.database


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("postgres://pam@%2Fvar%2Frun%2FMyServer/vault", "/var/run/MyServer"),
        ("postgresql:///vault", ""),
        ("postgresql://pam@[::1]/vault", "::1"),
    ],
)
def test_a_url_may_name_a_socket_no_host_or_an_ipv6_address(url: str, host: str):
    database = read({**INSTALLED, "DATABASE_URL": url}).database
    assert (database["HOST"], database["PORT"]) == (host, 5432)


def test_the_wait_for_a_connection_can_be_chosen():
    url = "postgresql://pam@db/vault?connect_timeout=3"
    assert read({**INSTALLED, "DATABASE_URL": url}).database["OPTIONS"]["connect_timeout"] == 3


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("", "is set, but empty"),
        ("   ", "is set, but empty"),
        ("vault", "does not begin with postgresql://"),
        ("db.example.com:5432/vault", "does not begin with postgresql://"),
        ("mysql://pam:hunter2@db/vault", "does not begin with postgresql://"),
        ("sqlite://:memory:", "does not begin with postgresql://"),
        ("postgresql://pam:hunter2@db", "names no database"),
        ("postgresql://pam:hunter2@db/", "names no database"),
        ("postgresql://pam:hunter2@db:port/vault", "has a port that is not a number"),
        ("postgresql://pam:hunter2[x@db/vault", "is not a URL"),
        ("postgresql://pam:hunter2#x@db/vault", "is not a URL"),
        ("postgresql://pam:hunter2/x@db/vault", "is not a URL"),
        ("postgresql://pam:hunter2@db:99999/vault", "has a port that is not a number from 0 to 65535"),
        ("postgresql://localhost:abc/vault", "has a port that is not a number"),
        ("postgresql://localhost:99999/vault", "has a port that is not a number"),
    ],
)
def test_a_bad_url_gets_a_sentence_with_an_example_and_no_password(url: str, what: str):
    message = refused({**INSTALLED, "DATABASE_URL": url})
    assert message.startswith(f"DATABASE_URL {what}")
    assert "DATABASE_URL='postgresql://" in message
    assert "hunter2" not in message


@pytest.mark.parametrize("name", ["SECRET_KEY", "ALLOWED_HOSTS"])
@pytest.mark.parametrize("value", [None, "", " "])
def test_a_url_requires_a_key_and_hosts(name: str, value: str | None):
    variables = {key: text for key, text in {**INSTALLED, name: value}.items() if text is not None}
    assert f"DATABASE_URL is set, so {name} must be set too" in refused(variables)


@pytest.mark.parametrize("key", ["ci", "a" * 49, "abcd" * 20, "django-insecure-" + KEY])
def test_a_key_that_can_be_guessed_is_refused(key: str):
    message = refused({**INSTALLED, "SECRET_KEY": key})
    assert message.startswith("SECRET_KEY ")
    assert "Make one: python -c" in message
    assert key not in message


def test_everything_wrong_is_named_at_once():
    message = refused({"DATABASE_URL": "mysql://db/vault", "ALLOWED_HOSTS": " , "})
    for name in ("DATABASE_URL does not", "so SECRET_KEY must", "so ALLOWED_HOSTS must"):
        assert name in message


@pytest.mark.parametrize("command", ["migrate", "runserver"])
def test_a_command_ends_with_the_sentence_and_no_traceback(command: str):
    ended = manage(CHECKOUT, command, environment={"DATABASE_URL": "postgresql://pam@db/vault"})
    assert ended.returncode == 1
    assert ended.stderr.startswith("ImproperlyConfigured: DATABASE_URL is set, so SECRET_KEY must be set too")
    assert "Traceback" not in ended.stderr


def test_a_number_that_is_none_is_refused_by_name():
    assert whole_number({}, "PAM_COPY_WORKERS", 2) == 2
    assert whole_number({"PAM_COPY_WORKERS": " 8 "}, "PAM_COPY_WORKERS", 2) == 8
    for text in ("0", "-1", "two", "²", "1.5"):
        with pytest.raises(ImproperlyConfigured, match="PAM_COPY_WORKERS must be a whole number"):
            whole_number({"PAM_COPY_WORKERS": text}, "PAM_COPY_WORKERS", 2)
