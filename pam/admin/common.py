"""What the pages of the tables with the common columns share: versions, deletion that can be undone, who and when."""

from collections.abc import Iterable
from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.actions import delete_selected
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import IntegrityError, models, transaction
from django.http import HttpRequest

from pam.admin.duties import DutyAdmin, are_too_many, first_keys
from pam.admin.filters import DeletedFilter
from pam.admin.forms import CommonForm, Document, UtcDateTime
from pam.admin.refusals import refusal
from pam.admin.table import SEARCH_RULE, TableAdmin, is_autocomplete
from pam.admin.trail import TrailedAdmin
from pam.models.base import CommonModel
from pam.postgres.fields import JsonText
from pam.trail import Change

REMARKS = ("Remarks", {"fields": ("classification", "compliance_tags", "retention_date", "metadata")})
# Who and when; the rest of it is for the eyes only, and `version` is a hidden field (see CommonForm).
HISTORY = ("id", "created_at", "created_by", "updated_at", "updated_by", "is_deleted", "deleted_at")
RECORD = ("Record", {"fields": ("version", *HISTORY)})


class CommonAdmin(DutyAdmin, TrailedAdmin, TableAdmin):
    """Rows are never deleted but marked, a stale form is refused with a message, and the writer's name is kept."""

    form = CommonForm
    actions: Any = ("delete_selected", "restore")
    # Django turns an emptied text into "" even where unknown is NULL.
    formfield_overrides = {
        models.TextField: {"empty_value": None},
        models.DateTimeField: {"widget": UtcDateTime},
        models.JSONField: {"form_class": Document},
    }

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        """Deleted rows too: the list hides them by its filter. Autocomplete, which has no filter, offers none."""
        rows = cast("Any", self.model).all_objects.order_by(*self.get_ordering(request))
        return rows.alive() if is_autocomplete(request) else rows  # type: ignore[no-any-return]

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        return [*super().get_list_filter(request), DeletedFilter]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        own = [*super().get_fieldsets(request, obj), REMARKS]
        return [*own, RECORD] if obj else own

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [*super().get_readonly_fields(request, obj), *HISTORY, *_unreadable(obj)]

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any) -> Any:
        """A page that shows what nobody can edit on it says so."""
        if names := _unreadable(options["obj"]):
            told = f"Kept as it is, and to be changed by SQL only, for no page can read it: {', '.join(names)}."
            self.message_user(request, told, messages.WARNING)
        return super().render_change_form(request, context, *args, **options)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """A reference to a row that was deleted since is shown and can be kept."""
        kwargs.setdefault("queryset", db_field.remote_field.model.all_objects.using(kwargs.get("using")))
        kwargs.setdefault("help_text", f"To search: {SEARCH_RULE[0].lower()}{SEARCH_RULE[1:]}")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: CommonModel, form: Any, change: bool) -> None:
        obj.updated_by = request.user.get_username()
        if not change:
            obj.created_by = obj.updated_by
        super().save_model(request, obj, form, change)

    def has_delete_permission(self, request: HttpRequest, obj: CommonModel | None = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and obj.is_deleted)

    def get_deleted_objects(
        self, objs: Iterable[CommonModel], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """What the page of confirmation lists: these rows and no others, since nothing else is marked with them."""
        names = [str(row) for row in objs]
        return names, {str(self.opts.verbose_name_plural): len(names)}, set(), []

    def deletion(self, row: CommonModel) -> Change:
        """A row is only marked."""
        return Change(row, self.sentence("deleted", row), {"is_deleted": False}, {"is_deleted": True})

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """One that is marked already is not deleted again, nor told to be."""
        rows = _locked(queryset) if isinstance(queryset, models.QuerySet) else queryset
        return super().log_deletions(request, [row for row in rows if not row.is_deleted])

    def delete_model(self, request: HttpRequest, obj: CommonModel) -> None:
        obj.soft_delete()

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        queryset.soft_delete()

    @admin.action(description="Delete selected %(verbose_name_plural)s", permissions=["delete"])
    def delete_selected(self, request: HttpRequest, queryset: Any) -> Any:
        """Django's, which would take a whole table that somebody selected, and list it."""
        if are_too_many(self, request, first_keys(queryset)):
            return None
        return delete_selected(self, request, queryset)

    @admin.action(description="Restore selected %(verbose_name_plural)s", permissions=["change"])
    def restore(self, request: HttpRequest, queryset: Any) -> None:
        """Take the mark of deletion off again, from all of the selected rows or from none."""
        if are_too_many(self, request, first_keys(queryset)):
            return
        try:
            with transaction.atomic(using=queryset.db):
                rows = list(_locked(queryset.deleted()))
                LogEntry.objects.log_actions(cast("int", request.user.pk), rows, CHANGE, "Restored.")
                self.record(request, "restored", [self._restoration(row) for row in rows])
                restored = queryset.restore()
        except IntegrityError as error:
            self.message_user(request, refusal(error), messages.ERROR)
        else:
            self.message_user(request, f"Restored: {restored}.", messages.SUCCESS)

    def _restoration(self, row: CommonModel) -> Change:
        return Change(row, self.sentence("restored", row), {"is_deleted": True}, {"is_deleted": False})


def _unreadable(row: models.Model | None) -> list[str]:
    """The columns of a row that hold JSON which Python cannot read."""
    if row is None:
        return []
    return [field.name for field in row._meta.fields if isinstance(getattr(row, field.attname), JsonText)]


def _locked(rows: models.QuerySet[Any]) -> models.QuerySet[Any]:
    """Lock: FOR UPDATE on each row, in the order of their ids, as duties lock them: of two, one finds nothing to do."""
    return rows.order_by("pk").select_for_update(of=("self",))
