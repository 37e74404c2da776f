"""An installation as it is run: gunicorn, behind a proxy, with static files of its own, as the README says."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.db import connections

from pam.models import AuditLog
from tests.support.embedded import CHECKOUT, KEY, clean_environment, copy_project, manage

PROXY = "127.0.0.2"
HOST = "pam.example.com"
HTTPS = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "127.0.0.1, 203.0.113.9"}


@pytest.fixture
def port(migrated: str, tmp_path: Path) -> Iterator[int]:
    """Where it listens: a copy of the project, with its static files gathered and the database `migrated`."""
    project = copy_project(tmp_path / "project")
    shutil.copy(CHECKOUT / "gunicorn.conf.py", project)
    database = connections[migrated].settings_dict
    user, password, host = (quote(database[name], safe="") for name in ("USER", "PASSWORD", "HOST"))
    environment = {
        "DATABASE_URL": f"postgresql://{user}:{password}@{host}:{database['PORT']}/{database['NAME']}",
        "SECRET_KEY": KEY,
        "ALLOWED_HOSTS": HOST,
        "PAM_TRUSTED_PROXIES": PROXY,
    }
    gathered = manage(project, "collectstatic", "--noinput", environment=environment)
    assert gathered.returncode == 0, gathered.stderr
    command = [sys.executable, "-m", "gunicorn", "menshun.wsgi", "--bind", "127.0.0.1:0"]
    with subprocess.Popen(
        command, cwd=project, env=clean_environment(environment), stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stderr is not None
        try:
            lines = iter(server.stderr.readline, "")
            yield next(int(found[1]) for line in lines if (found := re.search(r"Listening at: http://.*:(\d+) ", line)))
        finally:
            server.terminate()
            server.communicate(timeout=30)


def test_without_styles_it_says_what_to_do(tmp_path: Path) -> None:
    project = copy_project(tmp_path / "project")
    shutil.copy(CHECKOUT / "gunicorn.conf.py", project)
    environment = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "SECRET_KEY": KEY, "ALLOWED_HOSTS": HOST}
    command = [sys.executable, "-m", "gunicorn", "menshun.wsgi", "--bind", "127.0.0.1:0"]
    with subprocess.Popen(
        command, cwd=project, env=clean_environment(environment), stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stderr is not None
        told = next(line for line in iter(server.stderr.readline, "") if "collectstatic" in line or "Listening" in line)
        server.terminate()
        server.communicate(timeout=30)
    assert "python manage.py collectstatic --noinput" in told


def test_what_is_not_set_is_told_in_a_line(tmp_path: Path) -> None:
    project = copy_project(tmp_path / "project")
    shutil.copy(CHECKOUT / "gunicorn.conf.py", project)
    environment = clean_environment({"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"})
    command = [sys.executable, "-m", "gunicorn", "menshun.wsgi", "--bind", "127.0.0.1:0"]
    ended = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 1
    assert "SECRET_KEY must be set" in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr


def ask(port: int, path: str, sent: Any = None, *, peer: str = PROXY, **headers: str) -> tuple[HTTPResponse, str]:
    """The answer to a GET, or a POST of what is sent, from this address."""
    given = {"Host": HOST, **{name.replace("_", "-"): value for name, value in headers.items()}}
    if sent is not None:
        given["Content-Type"] = "application/x-www-form-urlencoded"
    with closing(HTTPConnection("127.0.0.1", port, timeout=30, source_address=(peer, 0))) as connection:
        connection.request("GET" if sent is None else "POST", path, sent and urlencode(sent), given)
        response = connection.getresponse()
        return response, response.read().decode(errors="replace")


def test_an_installation(port: int, migrated: str) -> None:
    assert ask(port, "/healthz", peer="127.0.0.1", Host="10.0.0.7")[1] == "ok\n"

    for answer, _ in (ask(port, "/admin/"), ask(port, "/admin/", peer="127.0.0.1", **HTTPS)):
        assert (answer.status, answer.headers["Location"]) == (301, f"https://{HOST}/admin/"), "nobody's forged word"

    answer, page = ask(port, "/admin/login/", **HTTPS)
    assert answer.status == 200
    assert answer.headers["Strict-Transport-Security"]
    (style,) = re.findall(r"/static/admin/css/login\.\w{12}\.css", page)
    static, _ = ask(port, style, Accept_Encoding="gzip", **HTTPS)
    assert (static.status, static.headers["Content-Encoding"]) == (200, "gzip")
    assert "immutable" in static.headers["Cache-Control"]
    assert static.headers["Access-Control-Allow-Origin"] is None

    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token is not None
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    sent = {"username": "nobody", "password": "wrong", "csrfmiddlewaretoken": token[1]}
    refused, _ = ask(port, "/admin/login/", sent, Cookie=cookie, Referer=f"https://{HOST}/admin/login/", **HTTPS)
    assert refused.status == 200
    event = AuditLog.objects.using(migrated).get()
    assert (event.action, event.source_ip) == ("account.sign_in_failed", "203.0.113.9")

    missing, page = ask(port, "/nowhere", **HTTPS)
    assert missing.status == 404
    assert "There is no such page" in page
