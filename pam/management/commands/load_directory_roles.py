"""`manage.py load_directory_roles [FILE]`: the built-in roles of Microsoft Entra into their table."""

from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, IntegrityError, connections

from pam.directory_roles import Plan, load
from pam.models import DirectoryRole
from pam.role_file import BrokenRoleFile, Role, read_roles

FILE = Path(__file__).resolve().parents[2] / "data" / "entra_directory_roles.json"
AGAIN = "python manage.py load_directory_roles"


class Command(BaseCommand):
    """Load directory roles from a JSON file; any number of times."""

    help = (
        "Load Microsoft Entra's built-in directory roles. New roles are added and changed ones updated; roles that the "
        "file no longer names are reported and stay. All in one transaction, any number of times."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The file, the database, and whether only to look."""
        parser.add_argument(
            "file", nargs="?", type=Path, default=FILE, metavar="FILE", help="JSON file; default: the project's own"
        )
        parser.add_argument(
            "--database", default=DEFAULT_DB_ALIAS, choices=tuple(connections), help="alias to load into"
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would change, and change nothing")

    def handle(self, *, file: Path, database: str, dry_run: bool, **options: Any) -> None:
        """Read, load, tell."""
        roles = _read(file)
        try:
            plan = load(roles, database, dry_run=dry_run)
        except IntegrityError as error:
            raise CommandError(f"Somebody else changed the roles meanwhile: {error}Run it again: {AGAIN}") from error
        self._tell(plan, len(roles), dry_run)

    def _tell(self, plan: Plan, count: int, dry_run: bool) -> None:
        self._list("changed", plan.changed)
        self._list("gone from the file, kept in the table", plan.gone)
        self._list("marked as deleted in the table, not touched", plan.deleted)
        self.stdout.write(
            f"{count} roles: {len(plan.new)} new, {len(plan.changed)} changed, {len(plan.unchanged)} unchanged, "
            f"{len(plan.gone)} gone" + (f", {len(plan.deleted)} deleted" if plan.deleted else "")
        )
        if dry_run:
            self.stdout.write("Dry run: nothing was changed.")

    def _list(self, what: str, rows: Sequence[DirectoryRole]) -> None:
        for row in rows:
            self.stdout.write(f"{what}: {row.role_name} ({row.template_id})")


def _read(file: Path) -> list[Role]:
    try:
        return read_roles(file)
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}. Nothing was loaded. Name a file, or none: {AGAIN}") from error
    except BrokenRoleFile as error:
        raise CommandError(f"{error} Correct the file, then: {AGAIN} {quote(str(file))}") from error
