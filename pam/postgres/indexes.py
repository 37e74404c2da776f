"""Index classes that allow the names PostgreSQL allows.

Django refuses index names of more than 30 characters, for the sake of databases that are not ours. PostgreSQL allows
63 bytes, and our longest name has 42 characters. Migrations name these classes, so they stay where they are.
"""

from django.contrib.postgres import indexes as postgres
from django.db import models

POSTGRES_NAME_LENGTH = 63


class Index(models.Index):
    """A B-tree index, plain or partial."""

    max_name_length = POSTGRES_NAME_LENGTH


class GinIndex(postgres.GinIndex):
    """A GIN index: over trigrams for search, over the elements of an array."""

    max_name_length = POSTGRES_NAME_LENGTH
