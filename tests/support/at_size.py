"""Two databases that differ in nothing but their size, and what a page of the admin costs in each."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.db import connections, transaction
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from psycopg2 import sql

from pam.company.load import settle
from pam.models.reports import REPORTS
from pam.partitions.tables import partitioned
from pam.postgres.monthly import add_month
from pam.postgres.months import Month, months

ROWS = Path(__file__).with_name("at_size.sql")
NEEDLE = "zzyzx"

# Not those of constraints. Of a parent it goes, and comes, with those of its months.
INDEXES = """
SELECT c.relname, replace(pg_get_indexdef(c.oid), ' ON ONLY ', ' ON ')
FROM pg_index x
JOIN pg_class c ON c.oid = x.indexrelid
JOIN pg_class t ON t.oid = x.indrelid
WHERE c.relnamespace = 'public'::regnamespace AND t.relkind IN ('r', 'p') AND NOT t.relispartition
    AND c.relname LIKE 'ix\\_%'
"""


@dataclass(frozen=True)
class Cost:
    """What a page costs the database: statements, and buffers that they read, found in memory or not."""

    queries: int
    buffers: int


class Everything:
    """A router by which all models are in one database."""

    def __init__(self, alias: str) -> None:
        self.alias = alias

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return self.alias

    db_for_write = db_for_read

    def allow_relation(self, *rows: Any, **hints: Any) -> bool:
        return True


def fill(alias: str, rows: int, months_back: int) -> None:
    """So many rows of each table over so many months, the last of which is this one."""
    # Rows first, and then the indexes of all of them at once: it is quicker.
    with connections[alias].cursor() as cursor:
        cursor.execute(INDEXES)
        indexes = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
    this = Month.of(timezone.now())
    for table in partitioned(alias):
        for month in months(this.plus(1 - months_back), this):
            add_month(table.connection, table.move, month)
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        # That every key that is referred to is there need not be asked for each row.
        cursor.execute("SET LOCAL session_replication_role = replica; SET LOCAL maintenance_work_mem = '512MB'")
        cursor.execute(ROWS.read_text(encoding="utf-8"), {"rows": rows, "months": months_back})
        for _, definition in indexes:
            cursor.execute(definition)
    settle(alias)
    # Only now the planner knows how many rows there are.
    with connections[alias].cursor() as cursor:
        for report in REPORTS:
            view = sql.Identifier(report._meta.db_table)
            cursor.execute(sql.SQL("REFRESH MATERIALIZED VIEW {}").format(view))
            cursor.execute(sql.SQL("VACUUM (ANALYZE) {}").format(view))
    # Once more: who looked at the rows meanwhile, such as an autovacuum, kept them out of the visibility map.
    settle(alias)


@contextmanager
def browser_of(alias: str) -> Iterator[Client]:
    """A superuser's browser on this database."""
    with override_settings(DATABASE_ROUTERS=[Everything(alias)]):
        client = Client()
        user, _ = User.objects.get_or_create(username="operator", is_staff=True, is_superuser=True)
        client.force_login(user)
        yield client


def cost_of(browser: Client, alias: str, address: str) -> Cost:
    """What this page costs. Its statements are run again to be measured, so that nothing is left to be done once."""
    with CaptureQueriesContext(connections[alias]) as captured:
        page = browser.get(address)
    assert page.status_code == 200, address
    statements = [query["sql"] for query in captured]
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        buffers = 0
        for statement in statements:
            if statement.startswith("SELECT"):
                buffers += buffers_of(alias, statement)
            elif statement.startswith("SET LOCAL"):
                cursor.execute(statement)
    return Cost(len(statements), buffers)


def buffers_of(alias: str, statement: str) -> int:
    """The buffers of the tables and indexes that a statement reads."""
    with connections[alias].cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {statement}")
        (answer,) = cursor.fetchone()
    (explained,) = json.loads(answer) if isinstance(answer, str) else answer
    plan = explained["Plan"]
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])
