"""Duties as actions of a list: a page shows the selected rows, asks for the reason, and does all of them or none."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import model_format_dict, model_ngettext
from django.core import signing
from django.db import DatabaseError, router
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from pam.admin.refusals import refusal
from pam.duties.work import Mandate, Seen
from pam.errors import DutyRefusedError
from pam.postgres.errors import is_busy
from pam.trail import Origin

# How many rows one duty takes, and how many of them the page lists.
MOST = 1000
LISTED = 50


class ReasonForm(forms.Form):
    """Why, in words that the audit log keeps. Django's field refuses a NUL by itself."""

    reason = forms.CharField(
        min_length=5,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"}),
        help_text="At least 5 characters, such as a ticket and what it is about. It is kept in the audit log.",
    )


@dataclass(frozen=True)
class Duty:
    """A duty as Django's admin takes an action: it is called with the selection, and again with the answer.

    `label` may name the model as Django's own actions do. `permission` is a codename of `pam`. `done` begins the line
    that tells how many it was.
    """

    name: str
    label: str
    permission: str
    perform: Callable[[Seen, Mandate], int]
    done: str

    @property
    def __name__(self) -> str:
        """By this name Django finds the action again."""
        return self.name

    @property
    def short_description(self) -> str:
        """By this one people do."""
        return self.label

    def __call__(self, model_admin: Any, request: HttpRequest, queryset: Any) -> Any:
        """The page that asks; or what was asked for, and back to the list."""
        if "seen" not in request.POST:
            return self._ask(model_admin, request, queryset)
        try:
            seen = self._read(request)
        except signing.BadSignature:
            model_admin.message_user(request, "That page was not made for you. Select the rows again.", messages.ERROR)
            return None
        form = ReasonForm(request.POST)
        if not form.is_valid():
            return self._page(model_admin, request, seen, form=form)
        using = router.db_for_write(model_admin.model)
        mandate = Mandate(Origin.of(request), form.cleaned_data["reason"], timezone.now(), using)
        try:
            count = self.perform(seen, mandate)
        except DutyRefusedError as error:
            return self._page(model_admin, request, seen, problems=error.problems)
        except DatabaseError as error:
            if is_busy(error):
                raise  # the site has a page for it
            model_admin.message_user(request, refusal(error), messages.ERROR)
        else:
            model_admin.message_user(request, f"{self.done}: {count:,}.", messages.SUCCESS)
        return None

    def _ask(self, model_admin: Any, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        seen = dict(queryset.values_list("pk", "version")[: MOST + 1])
        if not seen:
            model_admin.message_user(request, "None of these rows is there any more.", messages.WARNING)
            return None
        if are_too_many(model_admin, request, seen):
            return None
        return self._page(model_admin, request, seen, form=ReasonForm())

    def _page(self, model_admin: Any, request: HttpRequest, seen: Seen, **shown: Any) -> HttpResponse:
        """The rows, and the form or what stands in the way."""
        listed = list(seen)[:LISTED]
        related = model_admin.list_select_related or ()
        rows = model_admin.get_queryset(request).select_related(*related).filter(pk__in=listed)
        context = {
            **model_admin.admin_site.each_context(request),
            "title": self.label % model_format_dict(model_admin.opts),
            "opts": model_admin.opts,
            "action": self.name,
            "rows": rows,
            "count": len(seen),
            "names": model_ngettext(model_admin.opts, len(seen)),
            "more": len(seen) - len(listed),
            "most": MOST,
            "seen": signing.dumps({str(key): version for key, version in seen.items()}, salt=self._salt(request)),
            # Django wants one selected row at least before it calls an action; which are meant stands in `seen`.
            "selection": {"name": ACTION_CHECKBOX_NAME, "value": listed[0]},
            **shown,
        }
        return TemplateResponse(request, "admin/pam_duty.html", context)

    def _read(self, request: HttpRequest) -> dict[UUID, int]:
        """The rows as the page showed them. Signed: nobody adds one that he was not shown."""
        seen: Mapping[str, int] = signing.loads(request.POST["seen"], salt=self._salt(request))
        return {UUID(key): version for key, version in seen.items()}

    def _salt(self, request: HttpRequest) -> str:
        return f"pam.admin.duties.{self.name}.{request.user.pk}"


def are_too_many(model_admin: Any, request: HttpRequest, selected: Collection[Any]) -> bool:
    """Whether more rows are selected than an action takes, and the list says so; of `selected` MOST + 1 are enough."""
    if len(selected) <= MOST:
        return False
    told = f"Nothing was done: more than {MOST:,} rows are selected. Narrow the list by a filter."
    model_admin.message_user(request, told, messages.ERROR)
    return True


def first_keys(rows: Any) -> Any:
    """The keys of so many rows that one can tell whether they are too many."""
    return rows.values_list("pk", flat=True)[: MOST + 1]


class DutyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """A list whose actions may be duties, each for those only who have its permission."""

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        return {name: action for name, action in actions.items() if self._may(request, action[0])}

    def _may(self, request: HttpRequest, action: Any) -> bool:
        return not isinstance(action, Duty) or request.user.has_perm(f"pam.{action.permission}")
