"""A materialized view over the toy table, by its operation."""

from django.db import connections, models
from psqlextra.indexes import UniqueIndex

from pam.postgres.operations import CreateMaterializedView
from tests.support import toys

QUERY = "SELECT is_active, count(*) AS number FROM toys WHERE name LIKE 'toy %' GROUP BY 1"
ADD = CreateMaterializedView(
    name="ToyReport",
    fields=[("is_active", models.BooleanField(primary_key=True)), ("number", models.BigIntegerField())],
    options={"db_table": "report_toys", "indexes": [UniqueIndex(fields=["is_active"], name="uq_report_toys")]},
    query=QUERY,
    reads=["Toy"],
)
BEFORE = toys.state()
FILLED = {False: 333, True: 667}


def report(alias: str, view: str = "report_toys") -> dict[bool, int] | None:
    """What the view says, if it is there whole: with the index that a refresh CONCURRENTLY needs."""
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s)", [view])
        if cursor.fetchone() == (None,):
            return None
        cursor.execute(f"REFRESH MATERIALIZED VIEW CONCURRENTLY {view}")
        cursor.execute(f"SELECT * FROM {view}")
        return dict(cursor.fetchall())
