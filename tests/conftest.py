"""Fixtures that several test modules use."""

import gc
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.conf import global_settings, settings
from django.contrib.auth.signals import user_logged_in
from django.core.management import call_command
from django.db import connections
from django.test import Client, override_settings
from pytest_django import DjangoDbBlocker

from pam.company.load import Wish, load, settle
from pam.company.profiles import Profile
from pam.management.commands.pam_load import ROLES
from pam.postgres import locks
from pam.postgres.locks import Patience
from pam.role_file import read_roles
from pam.sign_ins import signed_in
from tests.support import toys
from tests.support.databases import database_name, throwaway_database
from tests.support.own_server import own_server


def pytest_collection_finish() -> None:
    """What is imported by now stays: to look through it for garbage again and again took a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.fixture(autouse=True, scope="session")
def _own_server() -> Iterator[None]:
    """The developer's own embedded server is not touched by a test."""
    database = connections["default"].settings_dict
    if "EMBEDDED_SERVER" not in database:
        yield
        return
    with own_server(database):
        yield


@pytest.fixture(autouse=True, scope="session")
def _quick_passwords() -> Iterator[None]:
    """A third of a second for each user that a test makes would be most of the time the tests take."""
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield


@pytest.fixture(autouse=True, scope="session")
def _plain_site() -> Iterator[None]:
    """What a test asks is answered as by `runserver`, also where DATABASE_URL is set: by plain HTTP, and without
    `collectstatic` before."""
    storages = {**settings.STORAGES, "staticfiles": global_settings.STORAGES["staticfiles"]}
    middleware = [name for name in settings.MIDDLEWARE if not name.startswith("whitenoise.")]
    plain = dict.fromkeys(("SECURE_SSL_REDIRECT", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE"), False)
    with override_settings(STORAGES=storages, MIDDLEWARE=middleware, **plain):
        yield


@pytest.fixture(autouse=True, scope="session")
def _quiet_force_login() -> Iterator[None]:
    """Whom a test signs in without a page leaves no event: tests count events."""
    force_login = Client.force_login

    def quietly(client: Client, user: Any, backend: str | None = None) -> None:
        user_logged_in.disconnect(signed_in)
        try:
            force_login(client, user, backend)
        finally:
            user_logged_in.connect(signed_in)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Client, "force_login", quietly)
        yield


@pytest.fixture
def database(django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The alias of an empty throw-away database; it is not "default", so that a use of the wrong connection shows."""
    with django_db_blocker.unblock(), throwaway_database("throwaway") as alias:
        yield alias


@pytest.fixture(scope="session")
def migrated_template(django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The name of a database with all migrations applied, to be copied."""
    with django_db_blocker.unblock(), throwaway_database("migrated_template") as alias:
        call_command("migrate", database=alias, verbosity=0)
        connections[alias].close()
        yield database_name(alias)


@pytest.fixture
def migrated(django_db_blocker: DjangoDbBlocker, migrated_template: str) -> Iterator[str]:
    """The alias of a throw-away database with all migrations applied."""
    with django_db_blocker.unblock(), throwaway_database("migrated", migrated_template) as alias:
        yield alias


@pytest.fixture(scope="session")
def phase2_template(django_db_blocker: DjangoDbBlocker, migrated_template: str) -> Iterator[str]:
    """The name of a database with phases 1 and 2 applied, and the apps of Django, to be copied."""
    with django_db_blocker.unblock(), throwaway_database("phase2_template", migrated_template) as alias:
        call_command("migrate", "pam", "0010_phase3_begin", database=alias, verbosity=0)
        connections[alias].close()
        yield database_name(alias)


@pytest.fixture
def phase2(django_db_blocker: DjangoDbBlocker, phase2_template: str) -> Iterator[str]:
    """The alias of a throw-away database with phases 1 and 2 applied: all its tables are plain."""
    with django_db_blocker.unblock(), throwaway_database("phase2", phase2_template) as alias:
        yield alias


@pytest.fixture(scope="session")
def company_template(django_db_blocker: DjangoDbBlocker, migrated_template: str) -> Iterator[str]:
    """The name of a database with all migrations applied, and a company of three months."""
    until = datetime(2026, 11, 20, 13, 37, 11, tzinfo=UTC)
    wish = Wish(Profile(users=400, identities=150, events=40_000), seed=5, months=3, until=until)
    with django_db_blocker.unblock(), throwaway_database("company_template", migrated_template) as alias:
        load(alias, wish, read_roles(ROLES), append=False, told=lambda events: None)
        settle(alias)
        connections[alias].close()
        yield database_name(alias)


@pytest.fixture
def company(django_db_blocker: DjangoDbBlocker, company_template: str) -> Iterator[str]:
    """The alias of a throw-away database with a company in it."""
    with django_db_blocker.unblock(), throwaway_database("company", company_template) as alias:
        yield alias


@pytest.fixture(params=[False, True], ids=["plain", "partitioned"])
def toy_table(request: pytest.FixtureRequest, database: str) -> dict[str, bool]:
    """The table of a toy made in `database`; returns the indexes that it is to have, all valid."""
    toys.make_table(database, partitioned=request.param)
    return toys.PARENT_AND_MONTHS if request.param else {toys.INDEX.name: True}


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strong locks are given up after three tries, so that a test of somebody in the way is soon over."""
    monkeypatch.setattr(locks, "BRIEF", Patience(lock_timeout_ms=50, attempts=3, first_pause=0.05, longest_pause=0.05))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--screenshots", metavar="FOLDER", help="where the browser's tests put pictures of the main pages")
