"""Requests that name another charset than UTF-8, as they come from a web server."""

import re
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.test import RequestFactory

from menshun.charsets import Application

pytestmark = pytest.mark.once

OTHERS = (
    "text/plain; charset=rot13",
    "text/plain; charset=zlib",
    "multipart/form-data; boundary=x; charset=unicode_escape",
    "multipart/form-data; boundary=x; charset=utf-16",
    "application/x-www-form-urlencoded; charset=undefined",
    "application/x-www-form-urlencoded; charset*=utf-8''latin-1",
    "text/plain; x*=none''%41",
)
UTF_8 = ("", "text/plain", "text/plain; charset=UTF-8", 'application/x-www-form-urlencoded; charset="utf-8"')


@pytest.fixture
def application(settings: Any, tmp_path: Path) -> Application:
    """What a web server is given; an installation looks for its static files when it is loaded."""
    settings.STATIC_ROOT = tmp_path
    found: Application = import_module("menshun.wsgi").application
    return found


def test_there_is_no_other_way_into_the_site() -> None:
    """What Django has for web servers does not ask before it fails; ours for WSGI is the only one that uses it."""
    menshun = Path(import_module("menshun").__path__[0])
    used = [path.name for path in menshun.rglob("*.py") if re.search(r"get_[aw]sgi_application", path.read_text())]
    assert used == ["wsgi.py"]


def answer(application: Application, content_type: str, method: str) -> str:
    asked = RequestFactory().generic(method, r"/nowhere?next=\ud800", b"--x--").environ
    environ = {**asked, "CONTENT_TYPE": content_type, "wsgi.input": BytesIO(b"--x--")}
    statuses: list[str] = []

    def start(status: str, headers: Any, error: Any = None) -> None:
        statuses.append(status)

    b"".join(application(environ, start))
    return statuses[0]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_charset_is_a_bad_request(application: Application, method: str) -> None:
    for content_type in OTHERS:
        assert answer(application, content_type, method) == "400 Bad Request", content_type


def test_utf_8_goes_on_to_the_site(application: Application) -> None:
    for content_type in UTF_8:
        assert answer(application, content_type, "GET") == "404 Not Found", content_type
