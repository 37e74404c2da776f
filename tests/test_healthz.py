"""/healthz: `ok` while the database answers, else 503 and no word more, soon, whatever the database does."""

import socket
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from django.db import connections
from django.test import Client, override_settings

from menshun import healthz
from pam.postgres.answering import answers


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes connections and never says a word."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


@pytest.fixture
def free() -> int:
    """A port nobody listens on."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port: int = server.getsockname()[1]
        return port


def asked_at(port: int, monkeypatch: pytest.MonkeyPatch, seconds: float = 0.2) -> tuple[int, str, float]:
    """The answer while the database is to be found at this port, and after how many seconds."""
    settings = connections["default"].settings_dict
    for name, value in {"HOST": "127.0.0.1", "PORT": str(port), "PASSWORD": "hunter2"}.items():
        monkeypatch.setitem(settings, name, value)
    monkeypatch.setattr(healthz, "SECONDS", seconds)
    begun = time.monotonic()
    response = Client().get("/healthz")
    return response.status_code, response.content.decode(), time.monotonic() - begun


@pytest.mark.django_db
def test_well() -> None:
    response = Client().get("/healthz")
    assert (response.status_code, response.content) == (200, b"ok\n")
    assert "no-store" in response["Cache-Control"]
    assert not response.cookies
    assert not response.has_header("Vary")
    assert Client().head("/healthz").status_code == 200
    for method in ("post", "put", "patch", "delete", "options"):
        assert getattr(Client(), method)("/healthz").status_code == 405


@pytest.mark.django_db
@override_settings(ALLOWED_HOSTS=["pam.example.com"], SECURE_SSL_REDIRECT=True)
@pytest.mark.parametrize("host", ["10.0.0.7:8000", "[::1]", "", "pam.example.com", "evil.example/x@y"])
def test_a_load_balancer_names_no_host_and_speaks_no_https(host: str) -> None:
    assert Client().get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.django_db
def test_only_that_address() -> None:
    for path in ("/healthz/", "/healthz/x", "/healthzx"):
        assert Client().get(path).status_code == 404, path


def test_nobody_listens(free: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    status, said, _ = asked_at(free, monkeypatch)
    assert (status, said) == (503, "unavailable\n")
    assert "default does not answer: " in caplog.text
    assert "hunter2" not in caplog.text


def test_somebody_listens_and_says_nothing(silent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    status, said, seconds = asked_at(silent, monkeypatch)
    assert (status, said) == (503, "unavailable\n")
    assert 0.2 <= seconds < 2


def test_the_database_is_not_there(migrated: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert answers(connections[migrated], 5)
    monkeypatch.setitem(connections[migrated].settings_dict, "NAME", "no such database")
    assert not answers(connections[migrated], 5)
