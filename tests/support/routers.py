"""Database routers for tests."""


class Forbid:
    """Lets no migration touch any database."""

    def allow_migrate(self, *args: object, **hints: object) -> bool:
        return False
