"""Database routers for tests."""

from django.db.models import Model


class Forbid:
    """Lets no migration touch any database."""

    def allow_migrate(self, *args: object, **hints: object) -> bool:
        return False


class ReadElsewhere:
    """Reads the rows of `pam` from the database behind an alias; accounts and sessions of the browser stay at home."""

    def __init__(self, alias: str) -> None:
        self.alias = alias

    def db_for_read(self, model: type[Model], **hints: object) -> str | None:
        return self.alias if model._meta.app_label == "pam" else None
