"""What menshun keeps of its own sizes, so that growth can be told."""

from django.db import models
from django.db.models import F, Q, TextChoices

from pam.models import rules


class SizeKind(TextChoices):
    """What was measured. Growth is told of one kind only: a conversion makes a table anew."""

    TABLE = "table"
    PARTITIONED_TABLE = "partitioned table"
    MATERIALIZED_VIEW = "materialized view"
    DATABASE = "database"


class SizeSnapshot(models.Model):
    """The size of one relation, or of the whole database, at one time, in bytes.

    `relation` is `schema.name`; of the database it is DATABASE, whatever its name, which a copy of it need not share.
    Of the database only the total is known. To prune: DELETE FROM size_snapshots WHERE taken_at < ...
    """

    DATABASE = "database"

    pk = models.CompositePrimaryKey("taken_at", "relation")
    taken_at = models.DateTimeField()
    relation = models.CharField(max_length=127)
    kind = models.CharField(max_length=20, choices=SizeKind)
    heap_bytes = models.BigIntegerField(null=True)
    index_bytes = models.BigIntegerField(null=True)
    toast_bytes = models.BigIntegerField(null=True)
    total_bytes = models.BigIntegerField()
    rows = models.BigIntegerField(null=True)

    class Meta:
        db_table = "size_snapshots"
        constraints = [
            rules.one_of(db_table, "kind", SizeKind),
            rules.check(
                db_table,
                "total_bytes",
                Q(kind="database")
                | Q(
                    heap_bytes__isnull=False,
                    index_bytes__isnull=False,
                    toast_bytes__isnull=False,
                    total_bytes=F("heap_bytes") + F("index_bytes") + F("toast_bytes"),
                ),
                "The total is the sum of its parts.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.relation} at {self.taken_at}: {self.total_bytes} bytes"
