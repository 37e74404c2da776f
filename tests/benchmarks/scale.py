"""How large a run is, and what every figure does to its database before it measures."""

from collections.abc import Callable
from dataclasses import dataclass

from django.core.management import call_command
from django.db import connections

# From so many rows on a run is to be believed; a smaller one only shows that everything works.
BELIEVED = 100_000
# Three whole ones between the first and the last: so many are retired.
FEW_MONTHS = 5
PHASE1, PHASE2 = "0001_phase1_initial", "0090_phase2_end"

# Gets what is being done now.
Told = Callable[[str], object]


@dataclass(frozen=True)
class Scale:
    """So many audit rows."""

    rows: int

    @property
    def sessions(self) -> int:
        return self.rows // 4

    @property
    def turns(self) -> int:
        """How often what takes seconds or minutes is measured."""
        return 3 if self.rows >= BELIEVED else 1

    @property
    def rounds(self) -> int:
        """How often what takes less is measured."""
        return 5 if self.rows >= BELIEVED else 1

    def months(self, wanted: int) -> int:
        """Over how many months rows lie: in a small run over few, since a month takes as long as thousands of rows."""
        return wanted if self.rows >= BELIEVED else min(wanted, FEW_MONTHS)

    def sizes(self, wanted: tuple[int, ...]) -> tuple[int, ...]:
        """So many rows the tables have that are compared; in a small run only the two smallest."""
        return wanted if self.rows >= BELIEVED else wanted[:2]

    def each(self, wanted: tuple[int, ...]) -> list[int]:
        """The numbers of months that a run compares."""
        return sorted({self.months(count) for count in wanted})


def migrate(alias: str, *target: str) -> None:
    """`manage.py migrate pam TARGET`, in this process; without a target, all phases."""
    call_command("migrate", "pam", *target, database=alias, verbosity=0)


def settle(alias: str) -> None:
    """VACUUM and ANALYZE everything, so that whoever is measured first does not do it for the others."""
    run(alias, "VACUUM (ANALYZE)")


def run(alias: str, *statements: str) -> None:
    """Statements, each in a transaction of its own."""
    with connections[alias].cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
