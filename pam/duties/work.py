"""How every duty works: all of the rows or none, under their locks, with an audit event for each."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import models, transaction

from pam.errors import DutyRefusedError, Problem, ReasonMissingError
from pam.models.audit import EventType, Severity
from pam.trail import Change, Origin, record_all

# The rows that somebody decided upon, by id, each with the version that he saw.
Seen = Mapping[UUID, int]
# Why something cannot be done to a row, as a clause; None if it can.
WhyNot = Callable[[Any], str | None]


@dataclass(frozen=True)
class Mandate:
    """On whose word, why and when something is done, and in which database (an alias)."""

    origin: Origin
    reason: str
    now: datetime
    using: str

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise ReasonMissingError


@dataclass(frozen=True)
class Deed:
    """What is written down of a duty; `action` is `assignment.revoked`."""

    action: str
    event_type: EventType
    severity: Severity = Severity.WARNING

    def of(self, row: models.Model) -> str:
        """In words: `Assignment revoked: Reports Reader for ann@example.com`."""
        return f"{self.action.replace('.', ' ').replace('_', ' ').capitalize()}: {row}"


def change(
    rows: models.QuerySet[Any],
    seen: Seen,
    mandate: Mandate,
    deed: Deed,
    *,
    why_not: WhyNot,
    values: Callable[[Any], dict[str, Any]],
) -> int:
    """Give each row its new values and write it down, in one transaction; returns how many rows there were.

    `rows` loads what a row's name and the two functions ask of it. Locks: those of `locked`. Errors: DutyRefusedError,
    and the database's own; after either nothing is done.
    """
    with transaction.atomic(using=mandate.using):
        found = locked(rows, seen, mandate.using)
        refuse(deed, seen, found, why_not)
        return write(found, mandate, deed, values)


def locked(rows: models.QuerySet[Any], keys: Iterable[UUID], using: str) -> list[Any]:
    """The rows of these ids, each locked until the transaction ends, in the order of their ids.

    Lock: ROW SHARE on the table, FOR UPDATE on each row, one after the other by id: two who want the same rows meet at
    the first of them, and never each with one that the other waits for.
    """
    wanted = rows.using(using).filter(pk__in=list(keys)).order_by("pk")
    return list(wanted.select_for_update(of=("self",)))


def refuse(deed: Deed, seen: Seen, found: list[Any], why_not: WhyNot) -> None:
    """Raise DutyRefusedError if one of the rows is gone, is deleted, cannot be done, or is another than was seen."""
    problems = gone(seen, found)
    for row in found:
        why = "it is deleted" if row.is_deleted else why_not(row) or _stale(row, seen)
        if why:
            problems.append(Problem(str(row), why))
    if problems:
        raise DutyRefusedError(action=deed.action, asked=len(seen), problems=problems)


def gone(seen: Seen, found: list[Any]) -> list[Problem]:
    """The rows that were not found."""
    there = {row.pk for row in found}
    return [Problem(str(key), "it is gone") for key in seen if key not in there]


def _stale(row: Any, seen: Seen) -> str | None:
    return None if row.version == seen[row.pk] else "somebody else changed it since it was looked at"


def write(rows: list[Any], mandate: Mandate, deed: Deed, values: Callable[[Any], dict[str, Any]]) -> int:
    """Store the new values of rows that are locked, one UPDATE for all that get the same, and write them down.

    Lock: ROW EXCLUSIVE on the tables of the rows and of the audit log; nobody waits for it who reads or writes.
    """
    changes = []
    alike: dict[tuple[tuple[str, Any], ...], list[Any]] = defaultdict(list)
    for row in rows:
        new = values(row)
        alike[tuple(new.items())].append(row)
        changed = {name: value for name, value in new.items() if getattr(row, name) != value}
        changes.append(Change(row, deed.of(row), {name: getattr(row, name) for name in changed}, changed))
    for new_values, group in alike.items():
        stored = type(group[0]).all_objects.using(mandate.using).filter(pk__in=[row.pk for row in group])
        stored.update(**dict(new_values), updated_by=mandate.origin.upn, updated_at=mandate.now)
    write_down(changes, mandate, deed)
    return len(rows)


def write_down(changes: Iterable[Change], mandate: Mandate, deed: Deed) -> None:
    """An audit event for each change, with the reason as its details. Lock: see `pam.trail.record`."""
    record_all(
        mandate.origin,
        deed.event_type,
        deed.action,
        changes,
        mandate.now,
        details=mandate.reason,
        severity=deed.severity,
        using=mandate.using,
    )
