"""Ordinary edits leave their audit event too, in the transaction of the edit."""

from collections.abc import Iterable
from typing import Any, ClassVar

from django.db import models, router, transaction
from django.http import HttpRequest
from django.utils import timezone

from pam.admin.refusals import RefusalAdmin
from pam.models.audit import EventType, Severity
from pam.postgres.fields import HexDigestField
from pam.trail import Change, Origin, record_all

# They change with every save, and say nothing of what somebody wanted.
BOOKKEEPING = {"version", "updated_at", "updated_by"}
# What stands in an event in place of a secret, or of what is made from one.
SECRET = "(not shown)"  # noqa: S105 (it stands in place of one)


class TrailedAdmin(RefusalAdmin):
    """Django tells here what was added, changed and deleted; the history that it keeps by itself stays.

    `noun` begins the actions: `assignment.changed`. An event that cannot be written undoes the edit.
    """

    noun: ClassVar[str]
    event_type: ClassVar[EventType] = EventType.CONFIGURATION
    severity: ClassVar[Severity] = Severity.INFO

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Keeps what the row was before this request changes it.

        Lock: FOR NO KEY UPDATE on the row where something may be changed, so that nobody changes it in between.
        """
        row = super().get_object(request, object_id, from_field)
        if row is None or request.method != "POST":
            return row
        using = router.db_for_write(self.model)
        if transaction.get_connection(using).in_atomic_block:
            of_row = self.model._base_manager.using(using).filter(pk=row.pk)
            list(of_row.select_for_update(no_key=True, of=("self",)).values_list("pk"))
            row = super().get_object(request, object_id, from_field)
        if row is not None:
            request.row_before = values_of(row)  # type: ignore[attr-defined]
        return row

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self.record(request, "added", [self._change("added", obj, {}, values_of(obj))])
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        before: dict[str, Any] = request.row_before  # type: ignore[attr-defined]
        self.record(request, "changed", [self._change("changed", obj, before, values_of(obj))])
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        self.record(request, "deleted", [self.deletion(row) for row in queryset])
        return super().log_deletions(request, queryset)

    def response_action(self, *args: Any, **options: Any) -> Any:
        """Django runs an action, such as its deletion, outside of a transaction."""
        with transaction.atomic(using=router.db_for_write(self.model)):
            return super().response_action(*args, **options)

    def deletion(self, row: Any) -> Change:
        """What goes away with a row."""
        return self._change("deleted", row, values_of(row), {})

    def record(self, request: HttpRequest, verb: str, changes: Iterable[Change]) -> None:
        """Write the changes down where the rows are."""
        record_all(
            Origin.of(request),
            self.event_type,
            f"{self.noun}.{verb}",
            changes,
            timezone.now(),
            severity=self.severity,
            using=router.db_for_write(self.model),
        )

    def _change(self, verb: str, row: Any, before: dict[str, Any], after: dict[str, Any]) -> Change:
        return change_of(row, self.sentence(verb, row), before, after)

    def sentence(self, verb: str, row: Any) -> str:
        """In words: `Assignment changed: Reports Reader for ann@example.com`."""
        return f"{self.noun.capitalize()} {verb}: {row}"


def change_of(row: models.Model, description: str, before: dict[str, Any], after: dict[str, Any]) -> Change:
    """What became of a row that held `before` and holds `after`, without its secrets; `description` is in words."""
    hidden = secrets_of(row)
    changed = {name for name in {**before, **after} if before.get(name) != after.get(name)} - BOOKKEEPING

    def told(values: dict[str, Any]) -> dict[str, Any] | None:
        return {name: SECRET if name in hidden else values[name] for name in values if name in changed} or None

    return Change(row, description, told(before), told(after))


def values_of(row: models.Model) -> dict[str, Any]:
    """What a row holds, by column, and the names of what it is related to many times."""
    columns = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    # Names may be made of what stands in another table.
    related = {
        field.name: sorted(map(str, getattr(row, field.name).select_related())) for field in row._meta.many_to_many
    }
    return columns | related


def secrets_of(row: models.Model) -> set[str]:
    """The columns that are a secret's digest: nobody reads them anywhere, the audit log included."""
    fields = row._meta.concrete_fields
    return {field.attname for field in fields if isinstance(field, HexDigestField) or field.name == "password"}
