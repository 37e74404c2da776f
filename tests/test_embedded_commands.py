"""manage.py in a checkout without DATABASE_URL: what starts the server, dbshell, and how to look at it and stop it."""

from pathlib import Path

import pytest

from menshun.embedded.server import EmbeddedServer
from tests.support.embedded import KEY, UserProcess, copy_project, manage

pytestmark = pytest.mark.once

INSTALLED = {"DATABASE_URL": "postgresql://pam@db/vault", "SECRET_KEY": KEY, "ALLOWED_HOSTS": "pam"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("with a blank") / "check out")


def test_what_needs_no_database_starts_no_server(tmp_path: Path):
    project = copy_project(tmp_path / "project")
    for command in (["check"], ["embedded_server", "stop"]):
        assert manage(project, *command).returncode == 0
    assert not (project / ".postgres").exists()


def test_dbshell_starts_the_server_and_needs_no_psql_on_the_machine(project: Path):
    ended = manage(project, "dbshell", "--", "-Atc", "SELECT current_database()", environment={"PATH": "/nowhere"})
    assert (ended.returncode, ended.stdout) == (0, "menshun\n"), ended.stderr
    assert EmbeddedServer(project / ".postgres").pid is None


def test_status_and_stop(project: Path):
    assert "does not run" in manage(project, "embedded_server", "status").stdout
    with UserProcess(project / ".postgres").go() as user:
        pid = user.server_pid()
        assert f"runs as process {pid}, in use by other commands" in manage(project, "embedded_server", "status").stdout
        assert "Other commands still use it" in manage(project, "embedded_server", "stop").stdout
        assert EmbeddedServer(project / ".postgres").pid is None
        user.end()


def test_with_a_url_there_is_no_embedded_server(project: Path):
    ended = manage(project, "embedded_server", "stop", environment=INSTALLED)
    assert ended.returncode == 1
    assert ended.stderr.startswith("MenshunError: DATABASE_URL is set")
