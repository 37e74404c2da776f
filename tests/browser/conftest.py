"""A real browser before the whole site. Its packages are a developer's, so they are imported where they are used."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pytest_django import DjangoDbBlocker

from tests.browser.watch import Watch
from tests.support.databases import throwaway_database
from tests.support.site import PASSWORD, Site, make_staff, serve

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

CHROMIUM = "/usr/bin/chromium"
# The certificate is nobody's; and root starts it without a sandbox only.
ARGUMENTS = ["--ignore-certificate-errors", "--no-sandbox"]


@pytest.fixture(autouse=True, scope="package")
def _beside_the_loop() -> Iterator[None]:
    """Playwright's loop runs in this thread too, but nothing asks the database from within it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        yield


@pytest.fixture(scope="package")
def site(
    django_db_blocker: DjangoDbBlocker, company_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The site of a company, with somebody in each role."""
    with django_db_blocker.unblock(), throwaway_database("site", company_template) as alias:
        make_staff(alias)
        with serve(alias, tmp_path_factory.mktemp("site")) as site:
            yield site


@pytest.fixture(scope="package")
def chromium() -> "Iterator[Browser]":
    """Debian's browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def window(chromium: "Browser", site: Site) -> "Iterator[Callable[..., Page]]":
    """Opens a window of a browser that nobody has used; at the end no page may have had a reason to complain."""
    opened: list[tuple[BrowserContext, Watch]] = []

    def open_window(**how: object) -> "Page":
        context = chromium.new_context(base_url=site.address, ignore_https_errors=True, **how)  # type: ignore[arg-type]
        watch = Watch(site.address)
        context.on("page", watch.follow)
        opened.append((context, watch))
        return context.new_page()

    yield open_window
    for context, watch in opened:
        context.close()
        assert watch.complaints == []


@pytest.fixture(scope="package")
def cookies() -> dict[str, Any]:
    """What each who has signed in once carries from then on, by name."""
    return {}


@pytest.fixture
def signed_in(window: "Callable[..., Page]", cookies: dict[str, Any]) -> "Callable[..., Page]":
    """Opens a window in which somebody is signed in; the first time by the form."""

    def sign_in(name: str, **how: object) -> "Page":
        if name in cookies:
            return window(storage_state=cookies[name], **how)
        page = window(**how)
        page.goto("/admin/")
        page.get_by_label("Username").fill(name)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.get_by_role("heading", name="Privileged access").wait_for()
        cookies[name] = page.context.storage_state()
        return page

    return sign_in


@pytest.fixture
def root(signed_in: "Callable[..., Page]") -> "Page":
    return signed_in("root")


@pytest.fixture
def operator(signed_in: "Callable[..., Page]") -> "Page":
    return signed_in("operator")


@pytest.fixture
def auditor(signed_in: "Callable[..., Page]") -> "Page":
    return signed_in("auditor")


@pytest.fixture
def screenshots(request: pytest.FixtureRequest) -> Path | None:
    """Where pictures of the main pages are put, if anywhere: `--screenshots=docs/pages`."""
    folder: str | None = request.config.getoption("--screenshots")
    return Path(folder) if folder else None
