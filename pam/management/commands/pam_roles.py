"""`manage.py pam_roles`: the groups auditor, operator, security officer and DBA, with what each needs."""

from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.utils import timezone

from pam.postgres.errors import said
from pam.staff_roles import Difference, set_roles


class Command(BaseCommand):
    """Set the permissions of four groups; any number of times."""

    help = (
        "Makes the groups auditor, operator, security officer and DBA, and gives each exactly the permissions of its "
        "role: what is missing is added, what is more is taken away. Who is in a group is not touched."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS, choices=tuple(connections))
        parser.add_argument("--dry-run", action="store_true", help="say what would change, and change nothing")

    def handle(self, *, database: str, dry_run: bool, **options: Any) -> None:
        """Set, tell."""
        try:
            differences = set_roles(database, timezone.now(), dry_run=dry_run)
        except DatabaseError as error:
            again = f"python manage.py pam_roles --database {database}"
            raise CommandError(f"Nothing was changed: {said(error)}\nThen run it again: {again}") from error
        for difference in differences:
            self._tell(difference)
        if any(difference.awaited for difference in differences):
            self.stdout.write("Those with ? come with phase 3. Run this again after it.")
        if dry_run:
            self.stdout.write("Dry run: nothing was changed.")

    def _tell(self, difference: Difference) -> None:
        state = "new" if difference.is_new else "changed" if difference else "as it should be"
        self.stdout.write(f"{difference.role}: {state}")
        for sign, names in (("+", difference.added), ("-", difference.removed), ("?", difference.awaited)):
            for name in names:
                self.stdout.write(f"  {sign} {name}")
