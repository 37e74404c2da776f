"""What a report says, to be held against what is expected."""

from typing import Any


def rows_of(report: Any, alias: str) -> list[dict[str, Any]]:
    """The report after a refresh, without what only identifies a row."""
    report.refresh(using=alias)
    rows = list(report.objects.using(alias).values())
    assert len({row["key"] for row in rows}) == len(rows)
    assert len({row["refreshed_at"] for row in rows}) == 1
    return rows


def alike(rows: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """Equal, whatever the order."""
    bare = [{name: value for name, value in row.items() if name not in ("key", "refreshed_at")} for row in rows]
    order = [sorted(map(repr, row.items())) for row in bare]
    assert sorted(order) == sorted(sorted(map(repr, row.items())) for row in expected)
    assert rows
