"""Django's command: a new superuser leaves an audit event, as in the admin."""

from typing import Any

from django.contrib.auth.management.commands import createsuperuser

from pam.management.accounts import written_down


class Command(createsuperuser.Command):
    def handle(self, *args: Any, **options: Any) -> Any:
        with written_down("createsuperuser"):
            return super().handle(*args, **options)
