"""Who may do what on the pages: four groups of accounts, each with what its work needs and nothing else."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import Group, Permission
from django.db import connections, transaction

from pam.models.audit import AuditLog, EventType, Severity
from pam.postgres import catalog
from pam.postgres.errors import MenshunError, TableMissing
from pam.trail import Change, Origin, record_all

AUTHOR = Origin("pam_roles", "manage.py pam_roles")

TABLES = (
    "view_privilegeduser",
    "view_directoryrole",
    "view_serviceidentity",
    "view_credential",
    "view_credentialrotation",
    "view_roleassignment",
    "view_session",
)
REPORTS = (
    "view_privilegedaccessreport",
    "view_credentialrotationreport",
    "view_auditeventreport",
    "view_accountriskreport",
)

# Permissions of the app `pam`. Nobody here edits a row: that takes permissions of one's own, or a superuser.
ROLES: Mapping[str, tuple[str, ...]] = {
    "auditor": (*TABLES, *REPORTS, "view_auditlog", "export_auditlog"),
    "operator": (
        *TABLES,
        "request_credentialrotation",
        "retry_credentialrotation",
        "terminate_session",
        "disable_privilegeduser",
        "enable_privilegeduser",
    ),
    "security officer": (
        *TABLES,
        *REPORTS,
        "view_auditlog",
        "revoke_roleassignment",
        "certify_roleassignment",
        "approve_roleassignment",
        "end_emergency_roleassignment",
        "suspend_serviceidentity",
        "reactivate_serviceidentity",
        "terminate_session",
    ),
    # What the pages of the database ask for.
    "DBA": ("view_sizesnapshot",),
}


# Migrations of no phase that make permissions; those on reports come with phase 3, and the groups are needed before.
MAKERS = ("0020_size_snapshots", "0021_duty_permissions")


class PermissionsMissing(MenshunError):
    """Some permissions that a role needs are not there, so that no role was made."""

    def __init__(self, names: Collection[str], using: str) -> None:
        made = " && ".join(f"python manage.py migrate pam {one} --database {using}" for one in MAKERS)
        super().__init__(
            f"There is no permission {', '.join(sorted(names))} in this database. Nothing was changed. "
            f"Migrations of no phase make them: {made}"
        )


@dataclass(frozen=True)
class Difference:
    """What a group lacked and what it had beyond its role, as `app.codename`; whether it was not there at all.

    `awaited` is what it lacks still, since phase 3 is not there.
    """

    role: str
    is_new: bool
    added: tuple[str, ...]
    removed: tuple[str, ...]
    awaited: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.is_new or self.added or self.removed)


def set_roles(using: str, now: datetime, *, dry_run: bool = False) -> list[Difference]:
    """Give each group exactly the permissions of its role, and write it down, in one transaction.

    Who is in a group is not touched. With `dry_run` nothing is. Lock: FOR UPDATE on the groups, by name. Errors:
    TableMissing, PermissionsMissing, and the database's own, as when somebody makes the same group at the same time.
    """
    for table in (Permission._meta.db_table, AuditLog._meta.db_table):
        if catalog.relation(connections[using], table) is None:
            raise TableMissing(table)
    with transaction.atomic(using=using):
        permissions = _permissions(using)
        found = Group.objects.using(using).filter(name__in=ROLES).order_by("name")
        groups = {group.name: group for group in found.select_for_update()}
        differences, changes = [], []
        for role, codenames in ROLES.items():
            wanted = {permissions[codename] for codename in codenames if codename in permissions}
            awaited = tuple(sorted(f"pam.{codename}" for codename in codenames if codename not in permissions))
            has = set(groups[role].permissions.select_related("content_type")) if role in groups else set()
            difference = Difference(role, role not in groups, _names(wanted - has), _names(has - wanted), awaited)
            differences.append(difference)
            if difference and not dry_run:
                group = groups.get(role) or Group.objects.using(using).create(name=role)
                group.permissions.set(wanted)
                changes.append((difference, _change(group, difference, has, wanted)))
        for is_new, action in ((True, "group.added"), (False, "group.changed")):
            record_all(
                AUTHOR,
                EventType.AUTHORIZATION,
                action,
                [change for difference, change in changes if difference.is_new == is_new],
                now,
                severity=Severity.WARNING,
                using=using,
            )
    return differences


def _permissions(using: str) -> dict[str, Permission]:
    """The permissions of all roles, by codename; those on reports as far as they are there."""
    wanted = {codename for codenames in ROLES.values() for codename in codenames}
    found = Permission.objects.using(using).filter(content_type__app_label="pam", codename__in=wanted)
    permissions = {permission.codename: permission for permission in found.select_related("content_type")}
    if missing := wanted - permissions.keys() - {*REPORTS}:
        raise PermissionsMissing([f"pam.{codename}" for codename in missing], using)
    return permissions


def _names(permissions: Collection[Permission]) -> tuple[str, ...]:
    return tuple(sorted(f"{permission.content_type.app_label}.{permission.codename}" for permission in permissions))


def _change(
    group: Group, difference: Difference, has: Collection[Permission], wanted: Collection[Permission]
) -> Change:
    """As the page of a group tells it."""
    verb = "added" if difference.is_new else "changed"
    before = None if difference.is_new else {"permissions": sorted(map(str, has))}
    return Change(group, f"Group {verb}: {group}", before, {"permissions": sorted(map(str, wanted))})
