"""Django's command: a new password leaves an audit event, as in the admin."""

from typing import Any

from django.contrib.auth.management.commands import changepassword

from pam.management.accounts import written_down


class Command(changepassword.Command):
    def handle(self, *args: Any, **options: Any) -> Any:
        with written_down("changepassword"):
            return super().handle(*args, **options)
