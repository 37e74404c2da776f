"""Page counts that never read a whole table."""

import json
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property

from pam.postgres.monthly_model import MonthlyModel


class MoreThan(int):
    """A count that was given up at this number; it is shown together with the planner's guess of the rest."""

    guess: int

    def __new__(cls, counted: int, guess: int) -> "MoreThan":
        number = super().__new__(cls, counted)
        number.guess = guess
        return number

    def __str__(self) -> str:
        perhaps = f", perhaps {self.guess:,}" if self.guess > self else ""
        return f"more than {int(self):,}{perhaps}"


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts exactly up to `most` rows, and leads no further than those: page 20,000 of a log is found by a filter.

    An exact count alone would read every row of an audit log, and OFFSET reads all that it skips. Small counts are
    never taken from statistics: the admin fetches a list of one page without a LIMIT.
    """

    most = 5000
    object_list: QuerySet  # type: ignore[type-arg]

    def page(self, number: Any) -> Page[Any]:
        """As Django's, but asking for a whole page however few rows there are: told that one is enough, the planner
        would read on until it meets that one, and leave the index of a search alone.

        What OFFSET skips is skipped in an index that ends in the key, where there is one. Not in months: there a key
        alone would be looked for in each of them, and rows lie as their time goes.
        """
        number = self.validate_number(number)
        first = (number - 1) * self.per_page
        rows = self.object_list
        if number == 1 or issubclass(rows.model, MonthlyModel):
            return Page(rows[first : first + self.per_page], number, self)
        keys = list(rows.values_list("pk", flat=True)[first : first + self.per_page])
        return Page(rows.filter(pk__in=keys), number, self)

    @cached_property
    def count(self) -> int:
        """The number of rows, or MoreThan."""
        counted = self.object_list.order_by()[: self.most + 1].count()
        return counted if counted <= self.most else MoreThan(self.most, self._guess())

    def _guess(self) -> int:
        """What the planner expects: it knows every partition, and every filter of which there are statistics."""
        (plan,) = json.loads(self.object_list.order_by().explain(format="json"))
        return int(plan["Plan"]["Plan Rows"])
