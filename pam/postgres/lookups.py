"""The search lookup that a trigram index can serve."""

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.lookups import PatternLookup


class ILike(PatternLookup):
    """`column ILIKE '%text%'`, with the text's own wildcards escaped.

    Django's `icontains` compiles to `UPPER(column) LIKE UPPER(...)`, which an index over the column cannot serve.
    """

    lookup_name = "ilike"
    prepare_rhs = False

    def get_rhs_op(self, connection: BaseDatabaseWrapper, rhs: str) -> str:
        return f"ILIKE {rhs}"


def register_lookups() -> None:
    """Make `name__ilike=...` known to every text column, here and in the admin's search fields."""
    models.CharField.register_lookup(ILike)
    models.TextField.register_lookup(ILike)
