"""The four roles: made by a command, and what each may see and do, page by page and action by action."""

import io
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission, User
from django.core.management import CommandError, call_command
from django.db import connections, models
from django.urls import reverse

from pam import staff_roles
from pam.admin.common import CommonAdmin
from pam.admin.duties import Duty
from pam.models import AuditLog
from pam.staff_roles import ROLES
from tests.support.admin import url
from tests.support.rows import make
from tests.support.staff import KEPT, REPORTS, SEES, TABLES, Models, browser_of

DOES = {
    "auditor": set[str](),
    "operator": {"request_rotation", "retry", "terminate", "terminate_sessions", "disable", "enable"},
    "security officer": {
        "revoke",
        "certify",
        "approve",
        "end_emergency",
        "suspend",
        "reactivate",
        "terminate",
        "terminate_sessions",
    },
    "DBA": set[str](),
}


def run(database: str, *options: str) -> str:
    out = io.StringIO()
    call_command("pam_roles", f"--database={database}", *options, stdout=out)
    return out.getvalue()


def state() -> Any:
    """All rows that somebody could have changed."""
    tables: Models = (*KEPT, Group, Permission)
    return [list(model._base_manager.order_by("pk").values()) for model in tables]


@pytest.mark.django_db
@pytest.mark.parametrize("role", ROLES)
def test_what_a_role_may_see_and_do(role: str) -> None:
    run("default")
    browser = browser_of(role)
    rows: dict[type[models.Model], Any] = {model: make(model) for model in KEPT}
    before = state()
    offered: set[str] = set()

    pages: Models = (*KEPT, *REPORTS, User, Group)
    for model in pages:
        sees = 200 if model in SEES[role] else 403
        assert browser.get(url(model, "changelist")).status_code == sees, model
        assert browser.get(url(model, "add")).status_code == 403, model
        if model in rows:
            row = rows[model]
            assert browser.get(url(model, "change", row)).status_code == sees, model
            assert browser.get(url(model, "history", row)).status_code == sees, model
            assert browser.post(url(model, "change", row), {"version": 1}).status_code == 403, model
            assert browser.post(url(model, "delete", row), {"post": "yes"}).status_code == 403, model
        if model in TABLES:
            model_admin = admin.site._registry[model]
            assert isinstance(model_admin, CommonAdmin)
            for duty in (action for action in model_admin.actions if isinstance(action, Duty)):
                data = {"action": duty.name, "_selected_action": str(rows[model].pk), "index": "0"}
                asked = browser.post(url(model, "changelist"), data)
                if asked.status_code == 200 and "duty_form" in asked.content.decode():
                    offered.add(duty.name)
            for action in ("delete_selected", "restore"):
                data = {"action": action, "_selected_action": str(rows[model].pk), "post": "yes"}
                browser.post(url(model, "changelist"), data)

    assert offered == DOES[role]
    assert state() == before
    assert browser.get(reverse("database")).status_code == (200 if role == "DBA" else 403)
    assert browser.get(reverse("admin:index")).status_code == 200


@pytest.mark.django_db
def test_no_role_may_edit_a_row_or_an_account() -> None:
    run("default")
    held = Permission.objects.filter(group__isnull=False).values_list("content_type__app_label", "codename")
    assert {app for app, _ in held} == {"pam"}
    assert not [name for _, name in held if name.startswith(("add_", "change_", "delete_"))]


@pytest.mark.django_db
def test_it_is_set_exactly_told_and_written_down() -> None:
    assert "DBA: new\n  + pam.view_sizesnapshot\n" in run("default")
    assert set(AuditLog.objects.values_list("action", "target_resource_name", "actor_upn")) == {
        ("group.added", role, "pam_roles") for role in ROLES
    }
    assert run("default") == "".join(f"{role}: as it should be\n" for role in ROLES)
    assert AuditLog.objects.count() == 4

    dba, clerk = Group.objects.get(name="DBA"), User.objects.create(username="clerk")
    clerk.groups.add(dba)
    dba.permissions.set(Permission.objects.filter(codename="change_user"))
    told = "DBA: changed\n  + pam.view_sizesnapshot\n  - auth.change_user\n"
    assert run("default", "--dry-run").endswith(f"{told}Dry run: nothing was changed.\n")
    assert [permission.codename for permission in dba.permissions.all()] == ["change_user"]
    assert AuditLog.objects.count() == 4
    assert run("default").endswith(told)
    assert [permission.codename for permission in dba.permissions.all()] == ["view_sizesnapshot"]
    assert clerk.groups.get() == dba
    event = AuditLog.objects.get(action="group.changed")
    assert event.previous_values == {"permissions": ["Authentication and Authorization | user | Can change user"]}
    assert event.new_values == {"permissions": ["Privileged access | size snapshot | Can view size snapshot"]}


@pytest.mark.django_db
def test_a_permission_that_is_not_there_is_named() -> None:
    Permission.objects.filter(codename="export_auditlog").delete()
    with pytest.raises(CommandError, match=r"no permission pam\.export_auditlog .* migrate pam 0021_duty_perm"):
        run("default")
    assert not Group.objects.exists()


@pytest.mark.django_db
def test_before_phase_3_roles_have_all_but_its_reports() -> None:
    reports = Permission.objects.filter(codename__in=staff_roles.REPORTS)
    names = [f"pam.{name}" for name in reports.order_by("codename").values_list("codename", flat=True)]
    reports.delete()
    told = run("default")
    assert [line.removeprefix("  ? ") for line in told.splitlines() if line.startswith("  ? ")] == [*names, *names]
    assert told.endswith("Run this again after it.\n")
    assert Group.objects.get(name="auditor").permissions.filter(codename="view_auditlog").exists()
    create_permissions(apps.get_app_config("pam"), verbosity=0)
    assert "auditor: changed\n" + "".join(f"  + {name}\n" for name in names) in run("default")


@pytest.mark.django_db
def test_what_cannot_be_written_down_is_not_set() -> None:
    with connections["default"].cursor() as cursor:
        cursor.execute("ALTER TABLE audit_logs ADD CONSTRAINT no_trail CHECK (action = '') NOT VALID")
    with pytest.raises(CommandError, match=r"Nothing was changed: .*no_trail"):
        run("default")
    assert not Group.objects.exists()


def test_another_database_and_an_empty_one(database: str) -> None:
    with pytest.raises(CommandError, match="There is no table auth_permission"):
        run(database)


def test_the_database_that_was_asked(migrated: str) -> None:
    run(migrated)
    assert set(Group.objects.using(migrated).values_list("name", flat=True)) == set(ROLES)
    assert AuditLog.objects.using(migrated).count() == 4
