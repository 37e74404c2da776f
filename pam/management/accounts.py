"""What Django's commands do to accounts is written down like what the admin does to them."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from django.contrib.auth.management import get_system_username
from django.contrib.auth.models import User
from django.core.management import CommandError
from django.db import DatabaseError, transaction
from django.db.models.signals import post_save, pre_save
from django.utils import timezone

from pam.admin.trail import change_of, values_of
from pam.models.audit import EventType, Severity
from pam.postgres.errors import said
from pam.trail import Origin, record_all


@contextmanager
def written_down(command: str) -> Iterator[None]:
    """Each account that is saved in the block leaves its event in the transaction of the save, or it is not saved.

    That transaction begins with the save: nothing is held while somebody types. Lock: FOR NO KEY UPDATE on the row of
    an account that is changed. CommandError: the event could not be written, and nothing was changed.
    """
    origin = Origin("manage.py", f"{command}, run by {get_system_username() or 'somebody'}")
    before: dict[str, Any] = {}
    with ExitStack() as saving:

        def begin(instance: User, using: str, **_: Any) -> None:
            saving.enter_context(transaction.atomic(using=using))
            stored = User.objects.using(using).select_for_update(no_key=True).filter(pk=instance.pk).first()
            before.clear()
            before.update(values_of(stored) if stored else {})

        def end(instance: User, created: bool, using: str, **_: Any) -> None:
            verb = "added" if created else "changed"
            change = change_of(instance, f"Account {verb}: {instance}", before, values_of(instance))
            try:
                record_all(
                    origin,
                    EventType.AUTHORIZATION,
                    f"account.{verb}",
                    [change],
                    timezone.now(),
                    severity=Severity.WARNING,
                    using=using,
                )
            except DatabaseError as error:
                told = f"Nothing was changed, for it could not be written down: {said(error)}"
                raise CommandError(told) from error
            saving.close()

        pre_save.connect(begin, sender=User)
        post_save.connect(end, sender=User)
        try:
            yield
        finally:
            pre_save.disconnect(begin, sender=User)
            post_save.disconnect(end, sender=User)
