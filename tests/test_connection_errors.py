"""Each way a connection can fail ends in a sentence that says what to do."""

import socket
from collections.abc import Iterator

import pytest
from django.core.management import CommandError
from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler

from menshun.backend import connecting
from menshun.environment import read_environment
from tests.support.cluster import Cluster
from tests.support.embedded import CHECKOUT, KEY, manage

INSTALLED = {"SECRET_KEY": KEY, "ALLOWED_HOSTS": "localhost"}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A server that asks for passwords, as a real one does."""
    with Cluster(auth="scram-sha-256") as cluster:
        cluster.create_database("old_style", "ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE 'C'")
        yield cluster


def connection_to(url: str) -> BaseDatabaseWrapper:
    found = read_environment({**INSTALLED, "DATABASE_URL": url}, CHECKOUT / "unused")
    return ConnectionHandler({"default": dict(found.database)})["default"]


def failure(url: str) -> str:
    connection = connection_to(url)
    with pytest.raises(OperationalError) as caught:
        connection.connect()
    assert isinstance(caught.value, CommandError), "manage.py would print a traceback"
    assert connection.connection is None
    return str(caught.value)


def test_a_good_url_connects(cluster: Cluster):
    wrapper = connection_to(cluster.url())
    connection = wrapper.get_new_connection(wrapper.get_connection_params())
    assert connection.info.dbname == "postgres"
    connection.close()


def test_nobody_answers():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    message = failure(f"postgresql://pam:hunter2@127.0.0.1:{port}/vault")
    assert message.startswith(f"No PostgreSQL server can be reached at '127.0.0.1', port {port} (")
    assert message.endswith(f"pg_isready -h '127.0.0.1' -p {port}")
    assert "hunter2" not in message


def test_no_such_host():
    message = failure("postgresql://pam:hunter2@no-such-host.invalid/vault")
    assert message.startswith("No PostgreSQL server can be reached at 'no-such-host.invalid', port 5432 (")


def test_a_stopped_server_behind_a_socket(cluster: Cluster):
    message = failure(cluster.url().replace(":5432/", ":5433/"))
    assert message.startswith(f"No PostgreSQL server can be reached at '{cluster.host}', port 5433 (")


def test_something_else_answers():
    # It takes the connection and says nothing: only the time limit ends that.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        message = failure(f"postgresql://pam:hunter2@127.0.0.1:{port}/vault?connect_timeout=2")
    assert "timeout expired" in message
    assert "hunter2" not in message


def test_a_wrong_password(cluster: Cluster):
    message = failure(cluster.url(password="hunter2"))
    assert message.startswith(
        f"Something answers at '{cluster.host}', port 5432, but connecting as user 'postgres' to "
    )
    assert "password authentication failed" in message
    assert message.endswith(f"psql -h '{cluster.host}' -p 5432 -U 'postgres' -d 'postgres'")
    assert "hunter2" not in message


def test_a_missing_database(cluster: Cluster):
    message = failure(cluster.url("missing"))
    assert "connecting as user 'postgres' to database 'missing' failed (" in message
    assert '"missing" does not exist' in message


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("sslmode=bogus", 'invalid sslmode value: "bogus"'),
        ("connect_timeout=abc", 'invalid integer value "abc" for connection option "connect_timeout"'),
        ("options=-c%20bogus%3D1", 'unrecognized configuration parameter "bogus"'),
    ],
)
def test_a_wrong_option_is_not_blamed_on_the_login(cluster: Cluster, option: str, reason: str):
    message = failure(f"{cluster.url()}?{option}")
    assert f"{reason}). If this is about the login, correct " in message
    assert "; if about an option, what follows its '?'; " in message
    assert cluster.password not in message


def test_a_wrong_option_without_a_host():
    message = failure("postgresql:///vault?sslmode=bogus")
    assert message.startswith("DATABASE_URL names no host, and connecting to this machine's own PostgreSQL ")
    assert """invalid sslmode value: "bogus"). If this is about the login, """ in message
    assert message.endswith("pg_isready")


def test_a_service_that_is_not_there(cluster: Cluster):
    message = failure(f"{cluster.url()}?service=none")
    assert 'definition of service "none" not found' in message
    assert "if about an option, what follows its '?'" in message


@pytest.mark.parametrize("port", ["abc", "99999"])
def test_a_wrong_port_among_the_options(port: str):
    message = failure(f"postgresql://pam:hunter2@127.0.0.1/vault?port={port}")
    assert message.startswith(f"No PostgreSQL server can be reached at '127.0.0.1', port {port} (")
    assert "hunter2" not in message


def test_too_many_connections(cluster: Cluster):
    cluster.execute("CREATE ROLE crowd LOGIN PASSWORD 'secret' CONNECTION LIMIT 0")
    message = failure(cluster.url(user="crowd"))
    assert 'too many connections for role "crowd"' in message
    assert "if about a limit, wait or have it raised." in message


def test_an_unknown_parameter(cluster: Cluster):
    message = failure(cluster.url() + "?sslmoode=require")
    assert message.startswith("DATABASE_URL has a parameter that PostgreSQL does not know")
    assert '"sslmoode"' in message
    assert cluster.password not in message


def test_a_server_that_is_too_old(cluster: Cluster, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connecting, "MINIMUM_VERSION", 99)
    message = failure(cluster.url())
    assert message.startswith(f"The server at '{cluster.host}', port 5432 is PostgreSQL ")
    assert "menshun needs 99 or newer" in message


def test_a_database_that_is_not_utf8(cluster: Cluster):
    message = failure(cluster.url("old_style"))
    assert message.startswith("The database 'old_style' at ")
    assert "has the encoding SQL_ASCII; menshun needs UTF8" in message
    assert "createdb --encoding=UTF8 --template=template0" in message


@pytest.mark.parametrize("command", [["migrate"], ["runserver", "0"]])
def test_a_command_ends_with_the_sentence_and_no_traceback(cluster: Cluster, command: list[str]):
    ended = manage(CHECKOUT, *command, environment={**INSTALLED, "DATABASE_URL": cluster.url(password="hunter2")})
    assert ended.returncode == 1
    assert ended.stderr.startswith("ConnectionFailedError: Something answers at ")
    assert "Traceback" not in ended.stderr
