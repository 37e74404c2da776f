"""The audit log as a file: what the list selects, row by row, after it was written down who took it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ERROR_FLAG, PAGE_VAR, ChangeList
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, connections, router, transaction
from django.db.models import DateTimeField, JSONField, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast
from django.http import (
    HttpRequest,
    HttpResponseBase,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    QueryDict,
    StreamingHttpResponse,
)
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from pam.admin.audit_lines import Rows, csv_lines, json_lines
from pam.admin.audit_search import SearchedList
from pam.admin.audit_times import Span, span_of
from pam.admin.bounded import is_of_filter
from pam.admin.read_only import ReadOnlyAdmin
from pam.admin.refusals import refusal
from pam.admin.table import TableList
from pam.models import AuditLog
from pam.models.audit import EventType
from pam.postgres.errors import is_busy
from pam.postgres.locks import lock_limit
from pam.trail import Origin, record

PERMISSION = "pam.export_auditlog"
# So many rows are read at once; and how long a file that is being sent waits for a lock, in milliseconds, before it
# breaks off. Only who has the table for himself alone is waited for.
PAGE = 1000
LOCK_MS = 60_000
# Programs verify these; nobody reads them.
HIDDEN = ("checksum", "signature")
FIELDS = [field for field in AuditLog._meta.concrete_fields if field.name not in HIDDEN]
JSON_COLUMNS = tuple(field.attname for field in FIELDS if isinstance(field, JSONField))
COLUMNS = tuple(field.attname for field in FIELDS if field.attname not in JSON_COLUMNS)


@dataclass(frozen=True)
class Format:
    """A kind of file. `lines` makes its text; see `csv_lines`."""

    label: str
    suffix: str
    content_type: str
    lines: Callable[[Sequence[str], Sequence[str], Rows], Iterator[str]]


FORMATS: Mapping[str, Format] = {
    "csv": Format("CSV", "csv", "text/csv; charset=utf-8; header=present", csv_lines),
    "jsonl": Format("JSON Lines", "jsonl", "application/jsonl; charset=utf-8", json_lines),
}


class NothingExported(Exception):
    """Why not, in words for a reader."""


class Selection(TableList):
    """What the list selects, without its first page."""

    def get_results(self, request: HttpRequest) -> None:
        """Nothing is asked of the database."""


class ExportAdmin(ReadOnlyAdmin):
    """A list of the audit log that is also given as a file, to who may see it and has a permission of its own."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.export_view)
        return [path("export/", view, name="pam_auditlog_export"), *super().get_urls()]

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        """The list itself takes nothing in, so whoever sends something wants the file."""
        return Selection if request.method == "POST" else SearchedList

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """The buttons of the export are for who may use them."""
        formats = FORMATS if self.may_export(request) else {}
        return super().changelist_view(request, {"export_formats": formats, **(extra_context or {})})

    def may_export(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request) and request.user.has_perm(PERMISSION)

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """The rows of the list at this address, as a file that is sent while it is read.

        The event of it is committed before the first byte. Otherwise nothing is sent: back to the list, with a message.
        """
        if not self.may_export(request):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        address, now = request.GET, timezone.now()
        try:
            kind, span = self._asked(request, now)
            # What happens while the file is sent is not in it.
            events = self._selected(request, span).filter(timestamp__lt=now)
        except NothingExported as error:
            return self._back(request, address, f"Nothing was exported: {error}.")
        try:
            self._write_down(request, kind, span, address)
        except DatabaseError as error:
            if is_busy(error):
                raise  # the site has a page for it
            return self._back(request, address, f"Nothing was exported. {refusal(error)}")
        response = StreamingHttpResponse(lines_of(events, kind), content_type=kind.content_type)
        response["Content-Disposition"] = f'attachment; filename="{file_name(span, now)}.{kind.suffix}"'
        return response

    def _asked(self, request: HttpRequest, now: datetime) -> tuple[Format, Span]:
        name = request.POST.get("format", "")
        if name not in FORMATS:
            raise NothingExported(f"there is no such format; there are {', '.join(FORMATS)}")
        try:
            return FORMATS[name], span_of(request.GET.dict(), now)
        except ValueError as error:
            raise NothingExported(error) from error

    def _selected(self, request: HttpRequest, span: Span) -> QuerySet[Any]:
        """What the list would show. A period was made a span before, so that rows and event speak of the same time."""
        query = request.GET.copy()
        for name, time in (("period", None), ("from", span.start), ("to", span.end)):
            query.pop(name, None)
            if time:
                query[name] = time.isoformat()
        request.GET = query  # type: ignore[assignment]
        try:
            events: QuerySet[Any] = self.get_changelist_instance(request).queryset
            if events.query.is_empty():
                raise NothingExported("nothing was looked for")
            with transaction.atomic(using=events.db):
                events.explain()  # the database reads the filters, and no rows
        except (IncorrectLookupParameters, DatabaseError) as error:
            if isinstance(error, DatabaseError) and not is_of_filter(error):
                raise
            raise NothingExported("the address holds a filter that cannot be read") from error
        return events

    def _write_down(self, request: HttpRequest, kind: Format, span: Span, address: QueryDict) -> None:
        filters = {name: values for name, values in address.lists() if name not in (PAGE_VAR, ERROR_FLAG)}
        since, until = (time.isoformat() if time else None for time in (span.start, span.end))
        using = router.db_for_write(AuditLog)
        with transaction.atomic(using=using, durable=True):
            record(
                Origin.of(request),
                EventType.PRIVILEGED_OPERATION,
                "auditlog.exported",
                f"Audit log exported as {kind.label}, from {since or 'the beginning'} to before {until or 'now'}"
                + (f", by {', '.join(sorted(filters))}" if filters else ""),
                new={"format": kind.label, "from": since, "to": until, "filters": filters},
                using=using,
            )

    def _back(self, request: HttpRequest, address: QueryDict, why: str) -> HttpResponseRedirect:
        self.message_user(request, why, messages.ERROR)
        return HttpResponseRedirect(f"{reverse('admin:pam_auditlog_changelist')}?{address.urlencode()}")


def lines_of(events: QuerySet[Any], kind: Format) -> Iterator[str]:
    """The text of the file, some lines at a time, at constant memory. `events` are in the order of the list."""
    return kind.lines(COLUMNS, JSON_COLUMNS, _rows(events))


def _rows(events: QuerySet[Any]) -> Iterator[Sequence[Any]]:
    """The rows by pages, each with a statement of its own that goes on behind the last row of the page before.

    Lock: ACCESS SHARE on the months that are read, and none while a page is sent: a slow download is in nobody's way,
    and the table may be swapped for another meanwhile. Events are only ever added: each that was there at the beginning
    is among the rows, once. A lock that is not to be had within LOCK_MS breaks the file off (SQLSTATE 55P03).
    """
    # The time also as a text: the database has times that Python has not.
    rows = events.values_list(*COLUMNS, *(Cast(name, TextField()) for name in (*JSON_COLUMNS, "timestamp")))
    page = _page(rows)
    while page:
        yield from (row[:-1] for row in page)
        page = _page(_behind(rows, page[-1])) if len(page) == PAGE else []


def _page(rows: QuerySet[Any]) -> list[Sequence[Any]]:
    with lock_limit(connections[rows.db], LOCK_MS):
        return list(rows[:PAGE])


def _behind(rows: QuerySet[Any], last: Sequence[Any]) -> QuerySet[Any]:
    """The rows that the list has after this one: it is ordered by time, either way, then by id, the greatest first."""
    key, time = last[COLUMNS.index("id")], Cast(Value(last[-1]), DateTimeField())
    if rows.query.order_by[0] == "timestamp":
        return rows.filter(Q(timestamp__gt=time) | Q(pk__lt=key), timestamp__gte=time)
    return rows.filter(Q(timestamp__lt=time) | Q(pk__lt=key), timestamp__lte=time)


def file_name(span: Span, now: datetime) -> str:
    """Says what range is in it; an open end is `now`."""
    since, until = (time and f"{time:%Y%m%dT%H%M%SZ}" for time in (span.start, span.end or now))
    return f"audit-log_{since or 'beginning'}_{until}"
