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


class Everything:
    """Reads and writes all there is in the database behind an alias: the site stands on it."""

    def __init__(self, alias: str) -> None:
        self.alias = alias

    def db_for_read(self, model: type[Model], **hints: object) -> str:
        return self.alias

    db_for_write = db_for_read
