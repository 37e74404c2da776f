"""The state of the database, for who verifies it here: what `pam_status` says. No button changes anything."""

from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.db import Error, connections, router
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_safe

from pam.models import AuditLog
from pam.monitoring.charts import months_svg
from pam.monitoring.examine import examine
from pam.postgres.errors import said


@require_safe
@permission_required("pam.view_sizesnapshot", raise_exception=True)
def database(request: HttpRequest) -> HttpResponse:
    """Findings, phases and months of the database that the audit log is read from. Locks: see `examine`."""
    alias, now = router.db_for_read(AuditLog), timezone.now()
    context = {**admin.site.each_context(request), "title": "State of the database", "alias": alias, "now": now}
    try:
        state = examine(connections[alias], now)
    except Error as error:
        context["reason"] = f"It could not be told: {said(error)}"
    else:
        # The library escapes what it writes.
        months = mark_safe(months_svg(state.months, now))  # noqa: S308
        context |= {"state": state, "findings": state.findings, "months": months}
    return TemplateResponse(request, "admin/pam_database.html", context)
