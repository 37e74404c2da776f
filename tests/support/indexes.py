"""What the catalog says of indexes, as tests ask it."""

from typing import Any

from django.db import connections


def index_validity(alias: str, pattern: str) -> dict[str, bool]:
    """The indexes whose name is LIKE `pattern`, each with whether it is valid."""
    return dict(
        _rows(
            alias,
            "SELECT c.relname, x.indisvalid FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid"
            " WHERE c.relname LIKE %s ORDER BY 1",
            pattern,
        )
    )


def invalidate(alias: str, name: str) -> None:
    """Make an index what an interrupted build leaves: there, and INVALID."""
    with connections[alias].cursor() as cursor:
        cursor.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass", [f'"{name}"'])
        assert cursor.rowcount == 1


def index_oid(alias: str, name: str) -> int:
    """The oid of an index: another one after it was built again."""
    return int(_rows(alias, "SELECT oid::bigint FROM pg_class WHERE relname = %s", name)[0][0])


def _rows(alias: str, statement: str, *parameters: str) -> list[Any]:
    with connections[alias].cursor() as cursor:
        cursor.execute(statement, parameters)
        rows: list[Any] = cursor.fetchall()
    return rows
