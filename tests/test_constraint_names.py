"""Foreign keys of pam's tables are named by rule; everybody else's as Django names them."""

from typing import Any

from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.db import connection, models
from django.test.utils import isolate_apps


def _name(field: Any) -> str:
    editor: Any = connection.schema_editor()
    return str(editor._fk_constraint_name(field.model, field, "_fk_%(to_table)s_%(to_column)s")).strip('"')


def test_a_foreign_key_of_pam_is_named_after_its_table_and_column():
    fields = [
        field
        for model in apps.get_app_config("pam").get_models()
        for field in model._meta.local_fields
        if isinstance(field, models.ForeignKey)
    ]
    assert fields
    for field in fields:
        assert _name(field) == f"fk_{field.model._meta.db_table}_{field.column}"


def test_a_name_that_postgresql_would_cut_off_is_left_to_django():
    with isolate_apps("pam"):

        class Target(models.Model):  # noqa: DJ008
            class Meta:
                app_label = "pam"

        class Source(models.Model):  # noqa: DJ008
            target = models.ForeignKey(Target, models.PROTECT)

            class Meta:
                app_label = "pam"
                db_table = "x" * 60

        name = _name(Source._meta.get_field("target"))
    assert not name.startswith("fk_")
    assert len(name) <= 63


def test_other_apps_keep_djangos_names():
    name = _name(LogEntry._meta.get_field("user"))
    assert name.startswith("django_admin_log_user_id_")
    assert name.endswith("_fk_auth_user_id")
