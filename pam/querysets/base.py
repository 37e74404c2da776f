"""What all tables with the common columns can be asked and told."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, Self, TypeVar

from django.db import NotSupportedError, models
from django.db.models import F
from django.utils import timezone

Row = TypeVar("Row", bound=models.Model, covariant=True)


class SoftDeleteQuerySet(models.QuerySet[Row]):
    """Rows that are marked as deleted instead of going away, and whose version counts every change."""

    def alive(self) -> Self:
        """Everybody who does not ask for deleted rows."""
        return self.filter(is_deleted=False)

    def deleted(self) -> Self:
        """The operator who looks for something to restore: `all_objects.deleted()`."""
        return self.filter(is_deleted=True)

    def soft_delete(self, now: datetime | None = None) -> int:
        """Mark these rows as deleted; one that is already keeps the time of its deletion. Returns how many."""
        return self.alive().update(is_deleted=True, deleted_at=now or timezone.now())

    def restore(self) -> int:
        """Take the mark off again: `all_objects.filter(...).restore()`. Returns how many rows came back."""
        return self.deleted().update(is_deleted=False, deleted_at=None)

    def update(self, **values: Any) -> int:
        """As Django's, and who loaded one of these rows before finds out when saving it. bulk_update() comes here."""
        return super().update(**{"version": F("version") + 1, "updated_at": timezone.now(), **values})

    def bulk_create(
        self,
        objs: Iterable[Any],
        batch_size: int | None = None,
        ignore_conflicts: bool = False,
        update_conflicts: bool = False,
        update_fields: Collection[str] | None = None,
        unique_fields: Collection[str] | None = None,
    ) -> list[Any]:
        """As Django's, without `update_conflicts`: it would change rows behind the back of their version."""
        if update_conflicts:
            raise NotSupportedError(
                f"bulk_create(update_conflicts=True) cannot count the version of {self.model.__name__}. "
                "Use update_or_create(), or bulk_create() the new rows and bulk_update() the others."
            )
        return super().bulk_create(
            objs,
            batch_size=batch_size,
            ignore_conflicts=ignore_conflicts,
            update_fields=update_fields,
            unique_fields=unique_fields,
        )


class AliveManager(models.Manager[Row]):
    """The default manager: deleted rows are out of sight. `all_objects` sees everything."""

    def get_queryset(self) -> models.QuerySet[Row]:
        return super().get_queryset().filter(is_deleted=False)
