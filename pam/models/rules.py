"""The CHECKs that many tables share. Every name is stated: `ck_<table>_<column>` or `ck_<table>_<rule>`."""

from typing import Any

from django.db.models import CheckConstraint, F, Q, TextChoices
from django.db.models.functions import Lower

from pam.models.choices import Classification
from pam.postgres.uuid7 import IdCarriesTime


def check(table: str, rule: str, condition: Any, message: str | None = None) -> CheckConstraint:
    """One rule of a table, and what a person reads who breaks it in a form."""
    return CheckConstraint(condition=condition, name=f"ck_{table}_{rule}", violation_error_message=message)


def common(table: str) -> list[CheckConstraint]:
    """What holds in every table with the common columns."""
    return [
        id_time(table, "created_at"),
        flag_and_time(table, "deleted", "is_deleted", "deleted_at"),
        one_of(table, "classification", Classification),
        *positive(table, "version"),
    ]


def id_time(table: str, time: str) -> CheckConstraint:
    """A UUIDv7 carries the row's own time."""
    return check(table, "id_time", IdCarriesTime("id", time), f"The id carries another time than {time}.")


def flag_and_time(table: str, rule: str, flag: str, time: str) -> CheckConstraint:
    """A flag is set if and only if its time is known."""
    condition = Q(**{flag: True, f"{time}__isnull": False}) | Q(**{flag: False, f"{time}__isnull": True})
    return check(table, rule, condition, f"Either {flag} and {time}, or neither.")


def one_of(table: str, column: str, choices: type[TextChoices]) -> CheckConstraint:
    """A column holds one of its choices, or nothing where it is nullable. Forms check that by themselves."""
    return check(table, column, Q(**{f"{column}__in": choices.values}))


def scores(table: str, *columns: str) -> list[CheckConstraint]:
    """Scores go from 0 to 100."""
    return [check(table, column, Q(**{f"{column}__range": (0, 100)}), f"{column}: 0 to 100.") for column in columns]


def counters(table: str, *columns: str) -> list[CheckConstraint]:
    """Counters are not negative."""
    return [check(table, column, Q(**{f"{column}__gte": 0}), f"{column}: 0 or more.") for column in columns]


def positive(table: str, *columns: str) -> list[CheckConstraint]:
    """Periods and the like are more than nothing."""
    return [check(table, column, Q(**{f"{column}__gt": 0}), f"{column}: more than 0.") for column in columns]


def lower_case(table: str, *columns: str) -> list[CheckConstraint]:
    """UPNs are in lower case."""
    return [check(table, column, Q(**{column: Lower(column)}), f"{column}: lower case.") for column in columns]


def ends_after(table: str, end: str, begin: str) -> CheckConstraint:
    """What ends, ends after it has begun."""
    return check(table, end, Q(**{f"{end}__gt": F(begin)}), f"{end} must be after {begin}.")


def hex_digest(table: str, column: str) -> CheckConstraint:
    """A SHA-256 digest in lower-case hexadecimal digits, and nothing that could be a token in clear text."""
    condition = Q(**{f"{column}__regex": "^[0-9a-f]{64}$"})
    return check(table, column, condition, f"{column}: 64 lower-case hexadecimal digits.")
