"""What the pages of the database have in common: who may see them, what they show, and how long they may take."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.db import connections, router
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

from pam.models import AuditLog
from pam.monitoring.section import Section, section
from pam.postgres.errors import run_again
from pam.postgres.locks import Patience, timeouts

T = TypeVar("T")
View = Callable[[HttpRequest], HttpResponse]

PERMISSION = "pam.view_sizesnapshot"
# Whoever keeps a reader out for longer has a table for himself alone; the page says so instead of hanging.
LOCK_MS, STATEMENT_MS = 2_000, 5_000
PATIENCE = Patience(lock_timeout_ms=LOCK_MS, attempts=1, first_pause=0, longest_pause=0)
# What an image may do that is opened by itself: have its own styles, and nothing else.
IMAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


@dataclass(frozen=True)
class Page:
    """A page: the name of its URL, its title, and the command that says the same."""

    name: str
    title: str
    command: str


PAGES = (
    Page("database", "State", "pam_status"),
    Page("database_partitions", "Partitions", "pam_partitions status"),
    Page("database_indexes", "Indexes", "pam_indexes"),
    Page("database_sizes", "Sizes", "pam_sizes"),
    Page("database_queries", "Named queries", "pam_explain --analyze"),
    Page("database_settings", "Settings", "pam_settings"),
)


def page(view: View) -> View:
    """A view of staff with the permission, by GET and HEAD only."""
    asked: View = admin.site.admin_view(require_safe(permission_required(PERMISSION, raise_exception=True)(view)))
    return asked


def database() -> str:
    """The alias of the database that is looked at: that which the audit log is read from."""
    return router.db_for_read(AuditLog)


def look(name: str, find: Callable[[], T]) -> Section[T]:
    """What `find` finds in the database for the page of this name, each statement bounded, or why it could not."""
    alias, again = database(), f"python manage.py {_page(name).command} --database {database()}"

    def bounded() -> T:
        with run_again(again), timeouts(connections[alias], lock_ms=LOCK_MS, statement_ms=STATEMENT_MS):
            return find()

    return section(bounded)


def render(request: HttpRequest, name: str, context: dict[str, Any]) -> TemplateResponse:
    """The page of this name, by the template `admin/database/NAME.html`."""
    shown = _page(name)
    everywhere = {
        **admin.site.each_context(request),
        "title": f"Database: {shown.title.lower()}",
        "pages": PAGES,
        "page": shown,
        "alias": database(),
    }
    template = name.removeprefix("database_").replace("database", "state")
    return TemplateResponse(request, f"admin/database/{template}.html", {**everywhere, **context})


def svg(text: str) -> HttpResponse:
    """A chart as an image of its own; there is none: Http404."""
    if not text:
        raise Http404
    headers = {"Content-Security-Policy": IMAGE_POLICY}
    return HttpResponse(text, content_type="image/svg+xml", headers=headers)


def _page(name: str) -> Page:
    (found,) = (one for one in PAGES if one.name == name)
    return found
