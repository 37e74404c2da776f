"""How old the data of a materialized view is. The server does not record it; the view does, in `refreshed_at`."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from django.db import Error, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql

from pam.postgres import catalog
from pam.postgres.catalog import MATERIALIZED
from pam.postgres.errors import sqlstate
from pam.postgres.sql import query


class Filling(StrEnum):
    """What a view holds, and so whether anybody can tell its age."""

    ROWS = "has rows"
    NO_ROWS = "has no rows"
    NEVER_FILLED = "was never filled"
    NOT_THERE = "is not there"
    NOT_READABLE = "may not be read by this role"


# What the server answers when a view goes, is emptied or is closed to this role between two looks at it.
BY_SQLSTATE = {"42P01": Filling.NOT_THERE, "55000": Filling.NEVER_FILLED, "42501": Filling.NOT_READABLE}


@dataclass(frozen=True)
class ViewAge:
    """A view, and as of when its data is (UTC). Only a view with rows says it; of the others `filling` says why not.

    `refreshed_at` is the beginning of the transaction that filled it: the data is no older than that. `age` is by the
    server's clock.
    """

    view: str
    filling: Filling
    refreshed_at: datetime | None = None
    age: timedelta | None = None


def age_of(connection: BaseDatabaseWrapper, name: str) -> ViewAge:
    """The age of the materialized view of this name, from one row of it: all its rows say the same.

    Lock: ACCESS SHARE on the view, for which one must wait while it is refreshed without CONCURRENTLY.
    """
    view = catalog.relation(connection, connection.ops.quote_name(name))
    if view is None or view.kind != MATERIALIZED:
        return ViewAge(name, Filling.NOT_THERE)
    statement = sql.SQL(query("views", "age")).format(view=view.identifier)
    try:
        # A savepoint where there is a transaction: it goes on, whatever the server answers.
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute(statement)
            row = cursor.fetchone()
    except Error as error:
        filling = BY_SQLSTATE.get(sqlstate(error) or "")
        if filling is None:
            raise
        return ViewAge(name, filling)
    if row is None:
        return ViewAge(name, Filling.NO_ROWS)
    refreshed_at, age = row
    return ViewAge(name, Filling.ROWS, refreshed_at.astimezone(UTC), age)
