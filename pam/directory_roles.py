"""Loading directory roles into their table: what the file states is taken from it, all else belongs to people."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from django.db import connections, transaction

from pam.models import DirectoryRole
from pam.models.choices import RiskLevel
from pam.postgres import catalog
from pam.postgres.errors import TableMissing
from pam.role_file import Role

FROM_FILE = ("role_name", "description", "is_privileged")
# A file of roles knows no categories. Any made up from the name would look like Microsoft's.
NEW_CATEGORY = "uncategorized"
AUTHOR = "load_directory_roles"


@dataclass
class Plan:
    """What loading some roles means for the table. `gone` and `deleted` are only told, never touched.

    `gone`: built-in roles of the table that the file no longer names. `deleted`: roles of the file that somebody marked
    as deleted in the table.
    """

    new: list[DirectoryRole] = field(default_factory=list)
    changed: list[DirectoryRole] = field(default_factory=list)
    unchanged: list[DirectoryRole] = field(default_factory=list)
    gone: list[DirectoryRole] = field(default_factory=list)
    deleted: list[DirectoryRole] = field(default_factory=list)


def load(roles: Iterable[Role], using: str, *, dry_run: bool = False) -> Plan:
    """Bring the table to what the roles state, in one transaction; says what that was, or with dry_run would be."""
    table = DirectoryRole._meta.db_table
    with transaction.atomic(using=using):
        if catalog.relation(connections[using], table) is None:
            raise TableMissing(table)
        plan = compare(roles, DirectoryRole.all_objects.using(using))
        if not dry_run:
            _apply(plan, using)
    return plan


def compare(roles: Iterable[Role], stored: Iterable[DirectoryRole]) -> Plan:
    """What it takes to bring the stored roles to what the roles state. Changes the instances, not the table."""
    plan = Plan()
    rows: dict[UUID, DirectoryRole] = {row.template_id: row for row in stored}
    for role in roles:
        row = rows.pop(role.template_id, None)
        if row is None:
            plan.new.append(_new_row(role))
        elif row.is_deleted:
            plan.deleted.append(row)
        elif _take_over(row, role):
            plan.changed.append(row)
        else:
            plan.unchanged.append(row)
    plan.gone = [row for row in rows.values() if row.is_built_in and not row.is_deleted]
    return plan


def _new_row(role: Role) -> DirectoryRole:
    return DirectoryRole(
        template_id=role.template_id,
        role_name=role.role_name,
        description=role.description,
        is_privileged=role.is_privileged,
        category=NEW_CATEGORY,
        risk_level=RiskLevel.HIGH if role.is_privileged else RiskLevel.MEDIUM,
        created_by=AUTHOR,
        updated_by=AUTHOR,
    )


def _take_over(row: DirectoryRole, role: Role) -> bool:
    """Give the row what the file states; returns whether anything became different."""
    stated = {name: getattr(role, name) for name in FROM_FILE}
    if all(getattr(row, name) == value for name, value in stated.items()):
        return False
    for name, value in stated.items():
        setattr(row, name, value)
    row.updated_by = AUTHOR
    return True


def _apply(plan: Plan, using: str) -> None:
    rows = DirectoryRole.all_objects.using(using)
    rows.bulk_create(plan.new)
    rows.bulk_update(plan.changed, [*FROM_FILE, "updated_by"])
