# ruff: noqa: DJ001 - nullable text is what the schema says: unknown is not empty
"""What the models share: keys that carry time, the common columns, versions that count, deletion that can be undone."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models, router, transaction
from django.db.models.base import ModelBase
from django.db.models.functions import Now
from django.utils import timezone

from pam.errors import StaleRowError, VersionNotLoadedError
from pam.models.choices import Classification
from pam.postgres.fields import AnyJSONField, UUIDv7Field


class TimeKeyedModel(models.Model):
    """A row whose key is made when it is saved first, so that a new row is inserted and nothing else is tried."""

    class Meta:
        abstract = True

    def save(
        self,
        *,
        force_insert: bool | tuple[ModelBase, ...] = False,
        force_update: bool = False,
        using: str | None = None,
        update_fields: Iterable[str] | None = None,
    ) -> None:
        """As Django's, but a new row is never tried as an UPDATE first: that could only overwrite another row."""
        is_new = self._state.adding or self.pk is None
        if is_new and not force_update and update_fields is None:
            force_insert = True
        super().save(force_insert=force_insert, force_update=force_update, using=using, update_fields=update_fields)


class CommonModel(TimeKeyedModel):
    """The columns of every table but the audit log, an optimistic lock, and soft deletion.

    *Lock.* A save succeeds only if the row still has the version this instance was loaded with, and counts it up.
    Otherwise it raises StaleRowError, and the row is as it was. `update()` and `bulk_update()` of a queryset ask for no
    version but count it, so that instances loaded before are stale. After a rollback an instance is ahead of its row:
    `refresh_from_db()`, as for every other field.

    *Deletion.* `soft_delete()` marks, `restore()` takes the mark off; `objects` leaves marked rows out, `all_objects`
    does not. A marked row keeps its unique names. Django's `delete()` really deletes, where no foreign key forbids it.
    """

    id = UUIDv7Field(primary_key=True, editable=False, time_field="created_at")
    is_deleted = models.BooleanField(default=False, db_default=False)
    deleted_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, db_default=Now())
    updated_at = models.DateTimeField(default=timezone.now, db_default=Now())
    created_by = models.CharField(max_length=255, null=True, blank=True)
    updated_by = models.CharField(max_length=255, null=True, blank=True)
    version = models.IntegerField(default=1, db_default=1)
    compliance_tags = ArrayField(models.CharField(max_length=50), default=list, db_default=[], blank=True)
    retention_date = models.DateTimeField(null=True, blank=True)
    classification = models.CharField(max_length=50, null=True, blank=True, choices=Classification)
    metadata = AnyJSONField(default=dict, db_default={}, blank=True)

    class Meta:
        abstract = True

    # The version the row must still have; known only while save() runs, so that fixtures load without a lock.
    _expected_version: int | None = None

    def save(
        self,
        *,
        force_insert: bool | tuple[ModelBase, ...] = False,
        force_update: bool = False,
        using: str | None = None,
        update_fields: Iterable[str] | None = None,
    ) -> None:
        """As Django's, under the optimistic lock; `updated_at` and `version` are saved with whatever is saved."""
        fields = None if update_fields is None else set(update_fields)
        inserts = force_insert or ((self._state.adding or self.pk is None) and not force_update and fields is None)
        if inserts or fields == set():
            super().save(force_insert=force_insert, force_update=force_update, using=using, update_fields=fields)
            return
        if "version" in self.get_deferred_fields():
            raise VersionNotLoadedError(model=self._meta.object_name or "", pk=self.pk)
        using = using or router.db_for_write(self.__class__, instance=self)
        loaded = self.version, self.updated_at
        self._expected_version = self.version
        self.version, self.updated_at = self.version + 1, timezone.now()
        try:
            super().save(
                force_update=force_update,
                using=using,
                update_fields=None if fields is None else fields | {"version", "updated_at"},
            )
        except BaseException as error:
            self.version, self.updated_at = loaded
            if isinstance(error, StaleRowError) and transaction.get_connection(using).in_atomic_block:
                # Django gives the transaction up after any error within a save. This UPDATE found no row, which is no
                # error to the database: the caller can refresh and save again in the same transaction.
                transaction.set_rollback(False, using=using)
            raise
        finally:
            self._expected_version = None

    def _do_update(self, base_qs: models.QuerySet[Any], *args: Any, **kwargs: Any) -> Any:
        """The UPDATE of save(): it finds the row at the loaded version, or the save was stale."""
        if self._expected_version is None:
            return super()._do_update(base_qs, *args, **kwargs)
        updated = super()._do_update(base_qs.filter(version=self._expected_version), *args, **kwargs)
        if not updated:
            raise StaleRowError(model=self._meta.object_name or "", pk=self.pk, version=self._expected_version)
        return updated

    def soft_delete(self, *, now: datetime | None = None, using: str | None = None) -> None:
        """Mark this row as deleted, under the lock. One that is marked already keeps the time of its deletion."""
        if not self.is_deleted:
            self._mark(now or timezone.now(), using)

    def restore(self, *, using: str | None = None) -> None:
        """Take the mark off again, under the lock."""
        if self.is_deleted:
            self._mark(None, using)

    def _mark(self, deleted_at: datetime | None, using: str | None) -> None:
        self.is_deleted, self.deleted_at = deleted_at is not None, deleted_at
        self.save(using=using, update_fields=["is_deleted", "deleted_at"])

    def validate_constraints(self, exclude: Collection[str] | None = None) -> None:
        """As Django's, which looks through `objects`; names that a deleted row still holds are refused here."""
        super().validate_constraints(exclude=exclude)
        for constraint in self._meta.total_unique_constraints:
            if self._is_held_by_deleted_row(constraint, exclude or ()):
                names = ", ".join(name.replace("_", " ") for name in constraint.fields)
                raise ValidationError(f"A deleted {self._meta.verbose_name} holds this {names}: restore it instead.")

    def _is_held_by_deleted_row(self, constraint: models.UniqueConstraint, exclude: Collection[str]) -> bool:
        if any(name in exclude for name in constraint.fields):
            return False
        values = {name: getattr(self, name) for name in constraint.fields}
        if None in values.values() and constraint.nulls_distinct is not False:
            return False
        using = router.db_for_write(self.__class__, instance=self)
        rows = self.__class__._base_manager.using(using)
        return rows.filter(is_deleted=True, **values).exclude(pk=self.pk).exists()
