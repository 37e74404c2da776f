"""Page counts that never read a whole table."""

import json
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet, Value
from django.utils.functional import cached_property

from pam.postgres.monthly_model import MonthlyModel


class MoreThan(int):
    """A count that was given up behind `counted` rows; it is shown together with the planner's guess of the rest.

    As a number it leads to one page more than was counted, but not beyond `most` rows.
    """

    counted: int
    guess: int

    def __new__(cls, counted: int, guess: int, most: int) -> "MoreThan":
        number = super().__new__(cls, min(counted + 1, most))
        number.counted, number.guess = counted, guess
        return number

    def __str__(self) -> str:
        perhaps = f", perhaps {self.guess:,}" if self.guess > self.counted else ""
        return f"more than {self.counted:,}{perhaps}"


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts exactly up to `most_counted` rows, and leads to `most`: page 20,000 of a log is found by a filter.

    An exact count alone would read every row of an audit log, and OFFSET reads all that it skips. So the rows of the
    `wanted` page are read first, and one more: often they tell the count. Where not, and where even so many rows are
    dear to count, for no index has all that is asked, it is only said that there are more.
    """

    most = 5000
    most_counted = 5000
    # What a count may cost in the planner's unit, a page read in its turn. In an index 5,000 rows are some 200 of them;
    # each one read in its table is one to four.
    dear = 350.0
    object_list: QuerySet  # type: ignore[type-arg]

    def __init__(self, object_list: Any, per_page: Any, *args: Any, wanted: int = 1, **options: Any) -> None:
        super().__init__(object_list, per_page, *args, **options)
        self.wanted = min(wanted, self.most // self.per_page)

    def page(self, number: Any) -> Page[Any]:
        """As Django's, with the rows of the wanted page as they were read for the count."""
        number = self.validate_number(number)
        rows, _ = self._wanted_page if number == self.wanted else self._read(number)
        return Page(rows, number, self)

    @cached_property
    def count(self) -> int:
        """The number of rows, or MoreThan."""
        before = (self.wanted - 1) * self.per_page
        rows, has_more = self._wanted_page
        if not (rows or has_more) and before:
            return self._count(before)
        sure = before + self.per_page
        if not has_more:
            return before + len(rows)
        cost, guess = self._expected()
        if sure < self.most_counted and cost <= self.dear:
            sure = self.most_counted
            counted = self._count(sure)
            if counted <= sure:
                return counted
        return MoreThan(sure, guess, self.most)

    @cached_property
    def _wanted_page(self) -> tuple[list[Any], bool]:
        return self._read(self.wanted)

    def _read(self, number: int) -> tuple[list[Any], bool]:
        """The rows of a page, and whether there is one more.

        A whole page is asked for however few rows there are: told that one is enough, the planner would read on until
        it meets that one, and leave the index of a search alone. What OFFSET skips is skipped in an index that ends in
        the key, where there is one. Not in months: there a key alone would be looked for in each of them, and rows lie
        as their time goes. Of rows that go away between the keys and them, a page holds fewer, and is no last page.
        """
        first = (number - 1) * self.per_page
        page = slice(first, first + self.per_page + 1)
        rows = self.object_list
        if number == 1 or issubclass(rows.model, MonthlyModel):
            found = list(rows[page])
            return found[: self.per_page], len(found) > self.per_page
        keys = list(rows.values_list("pk", flat=True)[page])
        return list(rows.filter(pk__in=keys[: self.per_page])), len(keys) > self.per_page

    def _count(self, most: int) -> int:
        """The number of rows, or one more than `most`."""
        return int(self.object_list.order_by()[: most + 1].count())

    def _expected(self) -> tuple[float, int]:
        """What the planner expects a count up to `most_counted` to cost, and how many rows it expects in all.

        It knows every partition, and every filter of which there are statistics.
        """
        rows = self.object_list.order_by().annotate(counted=Value(1)).values("counted")[: self.most_counted + 1]
        (explained,) = json.loads(rows.explain(format="json"))
        limit = explained["Plan"]
        return float(limit["Total Cost"]), int(limit["Plans"][0]["Plan Rows"])
