"""Phase 1: the eight tables and the link table of role conflicts, with simple indexes, unique constraints and CHECKs.

Everything that needs an extension, a condition or a live table comes in phase 2.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models
from django.db.models.functions import Lower, Now
from django.utils import timezone

from pam.postgres.fields import CidrField, HexDigestField, UpnField, UUIDv7Field
from pam.postgres.indexes import Index
from pam.postgres.operations import AppendOnly, LockBeforeDrop
from pam.postgres.uuid7 import IdCarriesTime


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="PrivilegedUser",
            fields=[
                ("id", UUIDv7Field(editable=False, primary_key=True, serialize=False, time_field="created_at")),
                ("is_deleted", models.BooleanField(db_default=False, default=False)),
                ("deleted_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField(db_default=Now(), default=timezone.now)),
                ("updated_at", models.DateTimeField(db_default=Now(), default=timezone.now)),
                ("created_by", models.CharField(blank=True, max_length=255, null=True)),
                ("updated_by", models.CharField(blank=True, max_length=255, null=True)),
                ("version", models.IntegerField(db_default=1, default=1)),
                (
                    "compliance_tags",
                    ArrayField(
                        base_field=models.CharField(max_length=50), blank=True, db_default=[], default=list, size=None
                    ),
                ),
                ("retention_date", models.DateTimeField(blank=True, null=True)),
                (
                    "classification",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("public", "Public"),
                            ("internal", "Internal"),
                            ("confidential", "Confidential"),
                            ("restricted", "Restricted"),
                        ],
                        max_length=50,
                        null=True,
                    ),
                ),
                ("metadata", models.JSONField(blank=True, db_default={}, default=dict)),
                ("upn", UpnField(max_length=255)),
                ("display_name", models.CharField(max_length=255)),
                ("email", models.CharField(blank=True, max_length=255, null=True)),
                ("source_user_id", models.CharField(max_length=255)),
                ("source_user_upn", UpnField(max_length=255)),
                ("source_user_email", models.CharField(blank=True, max_length=255, null=True)),
                ("azure_object_id", models.UUIDField(blank=True, null=True)),
                ("employee_type", models.CharField(db_default="Admin", default="Admin", max_length=50)),
                ("department", models.CharField(blank=True, max_length=255, null=True)),
                ("job_title", models.CharField(blank=True, max_length=255, null=True)),
                ("company_name", models.CharField(blank=True, max_length=255, null=True)),
                ("office_location", models.CharField(blank=True, max_length=255, null=True)),
                ("manager_upn", UpnField(blank=True, max_length=255, null=True)),
                ("is_active", models.BooleanField(db_default=True, default=True)),
                ("account_enabled", models.BooleanField(db_default=True, default=True)),
                ("blocked_sign_in", models.BooleanField(db_default=False, default=False)),
                ("force_change_password", models.BooleanField(db_default=True, default=True)),
                (
                    "last_tap_generated",
                    models.DateTimeField(blank=True, null=True, verbose_name="last temporary access pass"),
                ),
                ("tap_count", models.IntegerField(db_default=0, default=0, verbose_name="temporary access passes")),
                ("usage_location", models.CharField(blank=True, max_length=2, null=True)),
                ("preferred_language", models.CharField(blank=True, max_length=10, null=True)),
                ("last_sign_in", models.DateTimeField(blank=True, null=True)),
                ("last_activity", models.DateTimeField(blank=True, null=True)),
                ("sign_in_count", models.IntegerField(db_default=0, default=0)),
                ("failed_sign_in_count", models.IntegerField(db_default=0, default=0)),
                (
                    "risk_level",
                    models.CharField(
                        choices=[("low", "Low"), ("medium", "Medium"), ("high", "High"), ("critical", "Critical")],
                        db_default="medium",
                        default="medium",
                        max_length=50,
                    ),
                ),
                ("risk_score", models.IntegerField(blank=True, null=True)),
                ("last_risk_assessment", models.DateTimeField(blank=True, null=True)),
                (
                    "compliance_status",
                    models.CharField(
                        choices=[
                            ("compliant", "Compliant"),
                            ("non_compliant", "Non Compliant"),
                            ("pending_review", "Pending Review"),
                        ],
                        db_default="compliant",
                        default="compliant",
                        max_length=50,
                    ),
                ),
                ("last_compliance_check", models.DateTimeField(blank=True, null=True)),
                ("certification_required", models.BooleanField(db_default=False, default=False)),
                ("next_certification_date", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "db_table": "privileged_users",
                "indexes": [
                    Index(fields=["is_active", "department"], name="ix_privileged_users_active_department"),
                    Index(fields=["risk_level", "risk_score"], name="ix_privileged_users_risk_level_score"),
                    Index(
                        fields=["compliance_status", "last_compliance_check"],
                        name="ix_privileged_users_compliance_status",
                    ),
                    Index(fields=["last_sign_in", "last_activity"], name="ix_privileged_users_activity"),
                    Index(fields=["is_active", "upn"], name="ix_privileged_users_active_upn"),
                    Index(fields=["display_name"], name="ix_privileged_users_display_name"),
                    Index(fields=["email"], name="ix_privileged_users_email"),
                    Index(fields=["source_user_upn"], name="ix_privileged_users_source_user_upn"),
                    Index(fields=["manager_upn"], name="ix_privileged_users_manager_upn"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("upn",), name="uq_privileged_users_upn"),
                    models.UniqueConstraint(fields=("source_user_id",), name="uq_privileged_users_source_user_id"),
                    models.UniqueConstraint(fields=("azure_object_id",), name="uq_privileged_users_azure_object_id"),
                    models.CheckConstraint(
                        condition=IdCarriesTime("id", "created_at"),
                        name="ck_privileged_users_id_time",
                        violation_error_message="The id carries another time than created_at.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("deleted_at__isnull", False), ("is_deleted", True)),
                            models.Q(("deleted_at__isnull", True), ("is_deleted", False)),
                            _connector="OR",
                        ),
                        name="ck_privileged_users_deleted",
                        violation_error_message="Either is_deleted and deleted_at, or neither.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("classification__in", ["public", "internal", "confidential", "restricted"])
                        ),
                        name="ck_privileged_users_classification",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("version__gt", 0)),
                        name="ck_privileged_users_version",
                        violation_error_message="version: more than 0.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("upn", Lower("upn"))),
                        name="ck_privileged_users_upn",
                        violation_error_message="upn: lower case.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("source_user_upn", Lower("source_user_upn"))),
                        name="ck_privileged_users_source_user_upn",
                        violation_error_message="source_user_upn: lower case.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("manager_upn", Lower("manager_upn"))),
                        name="ck_privileged_users_manager_upn",
                        violation_error_message="manager_upn: lower case.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("tap_count__gte", 0)),
                        name="ck_privileged_users_tap_count",
                        violation_error_message="tap_count: 0 or more.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("sign_in_count__gte", 0)),
                        name="ck_privileged_users_sign_in_count",
                        violation_error_message="sign_in_count: 0 or more.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("failed_sign_in_count__gte", 0)),
                        name="ck_privileged_users_failed_sign_in_count",
                        violation_error_message="failed_sign_in_count: 0 or more.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("risk_score__range", (0, 100))),
                        name="ck_privileged_users_risk_score",
                        violation_error_message="risk_score: 0 to 100.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("risk_level__in", ["low", "medium", "high", "critical"])),
                        name="ck_privileged_users_risk_level",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("compliance_status__in", ["compliant", "non_compliant", "pending_review"])),
                        name="ck_privileged_users_compliance_status",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("certification_required", False),
                            ("next_certification_date__isnull", False),
                            _connector="OR",
                        ),
                        name="ck_privileged_users_certification",
                        violation_error_message="A certification that is required needs its next date.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="DirectoryRole",
            fields=[
                ("id", UUIDv7Field(editable=False, primary_key=True, serialize=False, time_field="created_at")),
                ("is_deleted", models.BooleanField(db_default=False, default=False)),
                ("deleted_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField(db_default=Now(), default=timezone.now)),
                ("updated_at", models.DateTimeField(db_default=Now(), default=timezone.now)),
                ("created_by", models.CharField(blank=True, max_length=255, null=True)),
                ("updated_by", models.CharField(blank=True, max_length=255, null=True)),
                ("version", models.IntegerField(db_default=1, default=1)),
                (
                    "compliance_tags",
                    ArrayField(
                        base_field=models.CharField(max_length=50), blank=True, db_default=[], default=list, size=None
                    ),
                ),
                ("retention_date", models.DateTimeField(blank=True, null=True)),
                (
                    "classification",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("public", "Public"),
                            ("internal", "Internal"),
                            ("confidential", "Confidential"),
                            ("restricted", "Restricted"),
                        ],
                        max_length=50,
                        null=True,
                    ),
                ),
                ("metadata", models.JSONField(blank=True, db_default={}, default=dict)),
                ("template_id", models.UUIDField()),
                ("role_name", models.CharField(max_length=255)),
                ("description", models.TextField(blank=True, null=True)),
                ("category", models.CharField(max_length=100)),
                ("subcategory", models.CharField(blank=True, max_length=100, null=True)),
                ("is_privileged", models.BooleanField(db_default=False, default=False)),
                ("is_built_in", models.BooleanField(db_default=True, default=True)),
                ("is_enabled", models.BooleanField(db_default=True, default=True)),
                (
                    "risk_level",
                    models.CharField(
                        choices=[("low", "Low"), ("medium", "Medium"), ("high", "High"), ("critical", "Critical")],
                        db_default="medium",
                        default="medium",
                        max_length=50,
                    ),
                ),
                ("risk_score", models.IntegerField(db_default=50, default=50)),
                ("requires_justification", models.BooleanField(db_default=False, default=False)),
                ("requires_approval", models.BooleanField(db_default=False, default=False)),
                ("requires_certification", models.BooleanField(db_default=False, default=False)),
                ("training_required", models.BooleanField(db_default=False, default=False)),
                ("max_assignment_duration_days", models.IntegerField(blank=True, null=True)),
                ("certification_frequency_days", models.IntegerField(blank=True, null=True)),
                ("permissions", models.JSONField(blank=True, db_default=[], default=list)),
                ("graph_permissions_delegated", models.JSONField(blank=True, db_default=[], default=list)),
                ("graph_permissions_application", models.JSONField(blank=True, db_default=[], default=list)),
                ("scope", models.CharField(db_default="directory", default="directory", max_length=50)),
                ("can_manage_users", models.BooleanField(db_default=False, default=False)),
                ("can_manage_groups", models.BooleanField(db_default=False, default=False)),
                ("can_manage_applications", models.BooleanField(db_default=False, default=False)),
                ("can_manage_devices", models.BooleanField(db_default=False, default=False)),
                ("can_write_directory", models.BooleanField(db_default=False, default=False)),
                ("can_read_directory", models.BooleanField(db_default=True, default=True)),
                (
                    "compliance_frameworks",
                    ArrayField(
                        base_field=models.CharField(max_length=32), blank=True, db_default=[], default=list, size=None
                    ),
                ),
                ("assignment_count", models.IntegerField(db_default=0, default=0)),
                ("total_assignments", models.IntegerField(db_default=0, default=0)),
                ("last_assigned", models.DateTimeField(blank=True, null=True)),
                ("average_assignment_duration_days", models.FloatField(blank=True, null=True)),
                ("azure_role_id", models.CharField(blank=True, max_length=255, null=True)),
                ("role_version", models.CharField(db_default="1.0", default="1.0", max_length=50)),
                ("documentation_url", models.CharField(blank=True, max_length=500, null=True)),
                ("training_url", models.CharField(blank=True, max_length=500, null=True)),
            ],
            options={
                "db_table": "directory_roles",
                "indexes": [
                    Index(fields=["category", "is_privileged"], name="ix_directory_roles_category_privileged"),
                    Index(fields=["risk_level", "risk_score"], name="ix_directory_roles_risk_level_score"),
                    Index(fields=["is_enabled", "category"], name="ix_directory_roles_enabled_category"),
                    Index(fields=["assignment_count"], name="ix_directory_roles_assignment_count"),
                    Index(fields=["role_name"], name="ix_directory_roles_role_name"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("template_id",), name="uq_directory_roles_template_id"),
                    models.CheckConstraint(
                        condition=IdCarriesTime("id", "created_at"),
                        name="ck_directory_roles_id_time",
                        violation_error_message="The id carries another time than created_at.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("deleted_at__isnull", False), ("is_deleted", True)),
                            models.Q(("deleted_at__isnull", True), ("is_deleted", False)),
                            _connector="OR",
                        ),
                        name="ck_directory_roles_deleted",
                        violation_error_message="Either is_deleted and deleted_at, or neither.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("classification__in", ["public", "internal", "confidential", "restricted"])
                        ),
                        name="ck_directory_roles_classification",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("version__gt", 0)),
                        name="ck_directory_roles_version",
                        violation_error_message="version: more than 0.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("risk_score__range", (0, 100))),
                        name="ck_directory_roles_risk_score",
                        violation_error_message="risk_score: 0 to 100.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("max_assignment_duration_days__gt", 0)),
                        name="ck_directory_roles_max_assignment_duration_days",
                        violation_error_message="max_assignment_duration_days: more than 0.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("certification_frequency_days__gt", 0)),
                        name="ck_directory_roles_certification_frequency_days",
                        violation_error_message="certification_frequency_days: more than 0.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("assignment_count__gte", 0)),
                        name="ck_directory_roles_assignment_count",
                        violation_error_message="assignment_count: 0 or more.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("total_assignments__gte", 0)),
                        name="ck_directory_roles_total_assignments",
                        violation_error_message="total_assignments: 0 or more.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("average_assignment_duration_days__gte", 0),
                            ("average_assignment_duration_days__lt", float("inf")),
                        ),
                        name="ck_directory_roles_average_assignment_duration_days",
                        violation_error_message="average_assignment_duration_days: 0 or more.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("risk_level__in", ["low", "medium", "high", "critical"])),
                        name="ck_directory_roles_risk_level",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="DirectoryRoleConflict",
            fields=[
                ("id", UUIDv7Field(editable=False, primary_key=True, serialize=False, time_field="created_at")),
                (
                    "role",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=models.PROTECT,
                        related_name="conflicts_as_first",
                        to="pam.directoryrole",
                    ),
                ),
                (
                    "conflicting_role",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=models.PROTECT,
                        related_name="conflicts_as_second",
                        to="pam.directoryrole",
                    ),
                ),
                ("created_at", models.DateTimeField(db_default=Now(), default=timezone.now)),
                ("created_by", models.CharField(blank=True, max_length=255, null=True)),
            ],
            options={
                "db_table": "directory_role_conflicts",
                "indexes": [Index(fields=["conflicting_role"], name="ix_directory_role_conflicts_conflicting_role")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("role", "conflicting_role"), name="uq_directory_role_conflicts_pair"
                    ),
                    models.CheckConstraint(
                        condition=IdCarriesTime("id", "created_at"),
                        name="ck_directory_role_conflicts_id_time",
                        violation_error_message="The id carries another time than created_at.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("role", models.F("conflicting_role")), _negated=True),
                        name="ck_directory_role_conflicts_not_itself",
                        violation_error_message="A role cannot be in conflict with itself.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("role__lte", models.F("conflicting_role"))),
                        name="ck_directory_role_conflicts_ordered",
                        violation_error_message="The role with the smaller id comes first.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ServiceIdentity",
            fields=[
                ("id", UUIDv7Field(editable=False, primary_key=True, serialize=False, time_field="created_at")),
                ("is_deleted", models.BooleanField(db_default=False, default=False)),
                ("deleted_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField(db_default=Now(), default=timezone.now)),
                ("updated_at", models.DateTimeField(db_default=Now(), default=timezone.now)),
                ("created_by", models.CharField(blank=True, max_length=255, null=True)),
                ("updated_by", models.CharField(blank=True, max_length=255, null=True)),
                ("version", models.IntegerField(db_default=1, default=1)),
                (
                    "compliance_tags",
                    ArrayField(
                        base_field=models.CharField(max_length=50), blank=True, db_default=[], default=list, size=None
                    ),
                ),
                ("retention_date", models.DateTimeField(blank=True, null=True)),
                (
                    "classification",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("public", "Public"),
                            ("internal", "Internal"),
                            ("confidential", "Confidential"),
                            ("restricted", "Restricted"),
                        ],
                        max_length=50,
                        null=True,
                    ),
                ),
                ("metadata", models.JSONField(blank=True, db_default={}, default=dict)),
                ("name", models.CharField(max_length=255)),
                (
                    "identity_type",
                    models.CharField(
                        choices=[
                            ("service_account", "Service Account"),
                            ("service_principal", "Service Principal"),
                            ("managed_identity_system", "Managed Identity System"),
                            ("managed_identity_user", "Managed Identity User"),
                            ("workload_identity", "Workload Identity"),
                        ],
                        max_length=50,
                    ),
                ),
                ("description", models.TextField(blank=True, null=True)),
                ("azure_object_id", models.UUIDField(blank=True, null=True)),
                ("client_id", models.UUIDField(blank=True, null=True)),
                ("upn", UpnField(blank=True, max_length=255, null=True)),
                ("tenant_id", models.UUIDField(blank=True, null=True)),
                ("department", models.CharField(blank=True, max_length=255, null=True)),
                ("owner_upn", UpnField(blank=True, max_length=255, null=True)),
                ("business_contact", models.CharField(blank=True, max_length=255, null=True)),
                ("technical_contact", models.CharField(blank=True, max_length=255, null=True)),
                ("cost_center", models.CharField(blank=True, max_length=100, null=True)),
                (
                    "environment",
                    models.CharField(
                        choices=[
                            ("production", "Production"),
                            ("staging", "Staging"),
                            ("development", "Development"),
                            ("test", "Test"),
                        ],
                        db_default="production",
                        default="production",
                        max_length=50,
                    ),
                ),
                (
                    "criticality",
                    models.CharField(
                        choices=[("low", "Low"), ("medium", "Medium"), ("high", "High"), ("critical", "Critical")],
                        db_default="medium",
                        default="medium",
                        max_length=50,
                    ),
                ),
                (
                    "data_classification",
                    models.CharField(
                        choices=[
                            ("public", "Public"),
                            ("internal", "Internal"),
                            ("confidential", "Confidential"),
                            ("restricted", "Restricted"),
                        ],
                        db_default="internal",
                        default="internal",
                        max_length=50,
                    ),
                ),
                ("is_active", models.BooleanField(db_default=True, default=True)),
                ("account_enabled", models.BooleanField(db_default=True, default=True)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("active", "Active"),
                            ("inactive", "Inactive"),
                            ("suspended", "Suspended"),
                            ("pending_deletion", "Pending Deletion"),
                        ],
                        db_default="active",
                        default="active",
                        max_length=50,
                    ),
                ),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("last_used", models.DateTimeField(blank=True, null=True)),
                ("application_name", models.CharField(blank=True, max_length=255, null=True)),
                ("application_url", models.CharField(blank=True, max_length=500, null=True)),
                ("resource_group", models.CharField(blank=True, max_length=255, null=True)),
                ("subscription_id", models.CharField(blank=True, max_length=255, null=True)),
                ("kubernetes_namespace", models.CharField(blank=True, max_length=255, null=True)),
                ("kubernetes_service_account", models.CharField(blank=True, max_length=255, null=True)),
                ("cluster_name", models.CharField(blank=True, max_length=255, null=True)),
                ("oidc_issuer_url", models.CharField(blank=True, max_length=500, null=True)),
                (
                    "risk_level",
                    models.CharField(
                        choices=[("low", "Low"), ("medium", "Medium"), ("high", "High"), ("critical", "Critical")],
                        db_default="medium",
                        default="medium",
                        max_length=50,
                    ),
                ),
                ("risk_score", models.IntegerField(db_default=50, default=50)),
                ("requires_mfa", models.BooleanField(db_default=False, default=False)),
                (
                    "ip_restrictions",
                    ArrayField(base_field=CidrField(), blank=True, db_default=[], default=list, size=None),
                ),
                ("has_password", models.BooleanField(db_default=False, default=False)),
                ("has_client_secret", models.BooleanField(db_default=False, default=False)),
                ("has_certificate", models.BooleanField(db_default=False, default=False)),
                ("password_last_changed", models.DateTimeField(blank=True, null=True)),
                ("credential_rotation_frequency_days", models.IntegerField(db_default=90, default=90)),
                ("next_rotation_date", models.DateTimeField(blank=True, null=True)),
                (
                    "compliance_status",
                    models.CharField(
                        choices=[
                            ("compliant", "Compliant"),
                            ("non_compliant", "Non Compliant"),
                            ("pending_review", "Pending Review"),
                        ],
                        db_default="compliant",
                        default="compliant",
                        max_length=50,
                    ),
                ),
                ("last_compliance_check", models.DateTimeField(blank=True, null=True)),
                ("requires_approval", models.BooleanField(db_default=False, default=False)),
                ("usage_count", models.IntegerField(db_default=0, default=0)),
                ("api_calls_last_30_days", models.IntegerField(db_default=0, default=0)),
            ],
            options={
                "verbose_name_plural": "service identities",
                "db_table": "service_identities",
                "indexes": [
                    Index(fields=["identity_type", "status"], name="ix_service_identities_type_status"),
                    Index(fields=["environment", "department"], name="ix_service_identities_env_dept"),
                    Index(fields=["risk_level", "risk_score"], name="ix_service_identities_risk_level_score"),
                    Index(fields=["next_rotation_date"], name="ix_service_identities_rotation"),
                    Index(fields=["expires_at"], name="ix_service_identities_expiration"),
                    Index(fields=["is_active", "name"], name="ix_service_identities_active_name"),
                    Index(fields=["tenant_id"], name="ix_service_identities_tenant_id"),
                    Index(fields=["owner_upn"], name="ix_service_identities_owner_upn"),
                    Index(fields=["last_used"], name="ix_service_identities_last_used"),
                    Index(fields=["application_name"], name="ix_service_identities_application_name"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("azure_object_id",), name="uq_service_identities_azure_object_id"),
                    models.UniqueConstraint(fields=("client_id",), name="uq_service_identities_client_id"),
                    models.UniqueConstraint(fields=("upn",), name="uq_service_identities_upn"),
                    models.CheckConstraint(
                        condition=IdCarriesTime("id", "created_at"),
                        name="ck_service_identities_id_time",
                        violation_error_message="The id carries another time than created_at.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("deleted_at__isnull", False), ("is_deleted", True)),
                            models.Q(("deleted_at__isnull", True), ("is_deleted", False)),
                            _connector="OR",
                        ),
                        name="ck_service_identities_deleted",
                        violation_error_message="Either is_deleted and deleted_at, or neither.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("classification__in", ["public", "internal", "confidential", "restricted"])
                        ),
                        name="ck_service_identities_classification",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("version__gt", 0)),
                        name="ck_service_identities_version",
                        violation_error_message="version: more than 0.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("upn", Lower("upn"))),
                        name="ck_service_identities_upn",
                        violation_error_message="upn: lower case.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("owner_upn", Lower("owner_upn"))),
                        name="ck_service_identities_owner_upn",
                        violation_error_message="owner_upn: lower case.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("risk_score__range", (0, 100))),
                        name="ck_service_identities_risk_score",
                        violation_error_message="risk_score: 0 to 100.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("credential_rotation_frequency_days__gt", 0)),
                        name="ck_service_identities_credential_rotation_frequency_days",
                        violation_error_message="credential_rotation_frequency_days: more than 0.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("usage_count__gte", 0)),
                        name="ck_service_identities_usage_count",
                        violation_error_message="usage_count: 0 or more.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("api_calls_last_30_days__gte", 0)),
                        name="ck_service_identities_api_calls_last_30_days",
                        violation_error_message="api_calls_last_30_days: 0 or more.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "identity_type__in",
                                [
                                    "service_account",
                                    "service_principal",
                                    "managed_identity_system",
                                    "managed_identity_user",
                                    "workload_identity",
                                ],
                            )
                        ),
                        name="ck_service_identities_identity_type",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("environment__in", ["production", "staging", "development", "test"])),
                        name="ck_service_identities_environment",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("criticality__in", ["low", "medium", "high", "critical"])),
                        name="ck_service_identities_criticality",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("data_classification__in", ["public", "internal", "confidential", "restricted"])
                        ),
                        name="ck_service_identities_data_classification",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("status__in", ["active", "inactive", "suspended", "pending_deletion"])),
                        name="ck_service_identities_status",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("risk_level__in", ["low", "medium", "high", "critical"])),
                        name="ck_service_identities_risk_level",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("compliance_status__in", ["compliant", "non_compliant", "pending_review"])),
                        name="ck_service_identities_compliance_status",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("expires_at__gt", models.F("created_at"))),
                        name="ck_service_identities_expires_at",
                        violation_error_message="expires_at must be after created_at.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("identity_type", "service_principal"), _negated=True),
                            ("client_id__isnull", False),
                            _connector="OR",
                        ),
                        name="ck_service_identities_principal_has_client",
                        violation_error_message="A service principal has a client id.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("identity_type", "workload_identity"), _negated=True),
                            models.Q(("oidc_issuer_url__isnull", False), ("oidc_issuer_url__regex", "\\S")),
                            _connector="OR",
                        ),
                        name="ck_service_identities_workload_has_issuer",
                        violation_error_message="A workload identity has an OIDC issuer.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Credential",
            fields=[
                ("id", UUIDv7Field(editable=False, primary_key=True, serialize=False, time_field="created_at")),
                ("is_deleted", models.BooleanField(db_default=False, default=False)),
                ("deleted_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField(db_default=Now(), default=timezone.now)),
                ("updated_at", models.DateTimeField(db_default=Now(), default=timezone.now)),
                ("created_by", models.CharField(blank=True, max_length=255, null=True)),
                ("updated_by", models.CharField(blank=True, max_length=255, null=True)),
                ("version", models.IntegerField(db_default=1, default=1)),
                (
                    "compliance_tags",
                    ArrayField(
                        base_field=models.CharField(max_length=50), blank=True, db_default=[], default=list, size=None
                    ),
                ),
                ("retention_date", models.DateTimeField(blank=True, null=True)),
                (
                    "classification",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("public", "Public"),
                            ("internal", "Internal"),
                            ("confidential", "Confidential"),
                            ("restricted", "Restricted"),
                        ],
                        max_length=50,
                        null=True,
                    ),
                ),
                ("metadata", models.JSONField(blank=True, db_default={}, default=dict)),
                (
                    "credential_type",
                    models.CharField(
                        choices=[
                            ("password", "Password"),
                            ("client_secret", "Client Secret"),
                            ("certificate", "Certificate"),
                            ("api_key", "API key"),
                            ("token", "Token"),
                            ("ssh_key", "SSH key"),
                        ],
                        max_length=50,
                    ),
                ),
                ("name", models.CharField(max_length=255)),
                ("description", models.TextField(blank=True, null=True)),
                (
                    "service_identity",
                    models.ForeignKey(
                        db_index=False, on_delete=models.PROTECT, related_name="credentials", to="pam.serviceidentity"
                    ),
                ),
                ("vault_path", models.CharField(max_length=500)),
                ("vault_version", models.CharField(blank=True, max_length=50, null=True)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("active", "Active"),
                            ("expired", "Expired"),
                            ("rotated", "Rotated"),
                            ("revoked", "Revoked"),
                            ("pending_rotation", "Pending Rotation"),
                        ],
                        db_default="active",
                        default="active",
                        max_length=50,
                    ),
                ),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("last_used", models.DateTimeField(blank=True, null=True)),
                ("use_count", models.IntegerField(db_default=0, default=0)),
                ("rotation_frequency_days", models.IntegerField(db_default=90, default=90)),
                ("next_rotation_date", models.DateTimeField(blank=True, null=True)),
                ("last_rotated", models.DateTimeField(blank=True, null=True)),
                ("rotation_count", models.IntegerField(db_default=0, default=0)),
                ("auto_rotation_enabled", models.BooleanField(db_default=True, default=True)),
                ("strength_score", models.IntegerField(blank=True, null=True)),
                ("complexity_requirements", models.JSONField(blank=True, db_default={}, default=dict)),
                ("access_restrictions", models.JSONField(blank=True, db_default={}, default=dict)),
                ("requires_encryption", models.BooleanField(db_default=True, default=True)),
                ("external_id", models.CharField(blank=True, max_length=255, null=True)),
                ("external_system", models.CharField(blank=True, max_length=100, null=True)),
                ("sync_enabled", models.BooleanField(db_default=False, default=False)),
                ("last_sync", models.DateTimeField(blank=True, null=True)),
                ("notification_days_before_expiry", models.IntegerField(db_default=14, default=14)),
                ("notification_sent", models.BooleanField(db_default=False, default=False)),
                ("emergency_contact", models.CharField(blank=True, max_length=255, null=True)),
            ],
            options={
                "db_table": "credentials",
                "indexes": [
                    Index(fields=["service_identity", "credential_type"], name="ix_credentials_service_type"),
                    Index(fields=["status", "credential_type"], name="ix_credentials_status_type"),
                    Index(
                        fields=["next_rotation_date", "auto_rotation_enabled"], name="ix_credentials_rotation_schedule"
                    ),
                    Index(fields=["expires_at", "status"], name="ix_credentials_expiry"),
                    Index(fields=["last_used", "use_count"], name="ix_credentials_usage"),
                    Index(fields=["status", "name"], name="ix_credentials_active_name"),
                    Index(fields=["external_id"], name="ix_credentials_external_id"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("vault_path", "vault_version"),
                        name="uq_credentials_vault_path_vault_version",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=IdCarriesTime("id", "created_at"),
                        name="ck_credentials_id_time",
                        violation_error_message="The id carries another time than created_at.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("deleted_at__isnull", False), ("is_deleted", True)),
                            models.Q(("deleted_at__isnull", True), ("is_deleted", False)),
                            _connector="OR",
                        ),
                        name="ck_credentials_deleted",
                        violation_error_message="Either is_deleted and deleted_at, or neither.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("classification__in", ["public", "internal", "confidential", "restricted"])
                        ),
                        name="ck_credentials_classification",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("version__gt", 0)),
                        name="ck_credentials_version",
                        violation_error_message="version: more than 0.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("strength_score__range", (0, 100))),
                        name="ck_credentials_strength_score",
                        violation_error_message="strength_score: 0 to 100.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("rotation_frequency_days__gt", 0)),
                        name="ck_credentials_rotation_frequency_days",
                        violation_error_message="rotation_frequency_days: more than 0.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("use_count__gte", 0)),
                        name="ck_credentials_use_count",
                        violation_error_message="use_count: 0 or more.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("rotation_count__gte", 0)),
                        name="ck_credentials_rotation_count",
                        violation_error_message="rotation_count: 0 or more.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("notification_days_before_expiry__gte", 0)),
                        name="ck_credentials_notification_days_before_expiry",
                        violation_error_message="notification_days_before_expiry: 0 or more.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "credential_type__in",
                                ["password", "client_secret", "certificate", "api_key", "token", "ssh_key"],
                            )
                        ),
                        name="ck_credentials_credential_type",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("status__in", ["active", "expired", "rotated", "revoked", "pending_rotation"])
                        ),
                        name="ck_credentials_status",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("expires_at__gt", models.F("created_at"))),
                        name="ck_credentials_expires_at",
                        violation_error_message="expires_at must be after created_at.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CredentialRotation",
            fields=[
                ("id", UUIDv7Field(editable=False, primary_key=True, serialize=False, time_field="created_at")),
                ("is_deleted", models.BooleanField(db_default=False, default=False)),
                ("deleted_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField(db_default=Now(), default=timezone.now)),
                ("updated_at", models.DateTimeField(db_default=Now(), default=timezone.now)),
                ("created_by", models.CharField(blank=True, max_length=255, null=True)),
                ("updated_by", models.CharField(blank=True, max_length=255, null=True)),
                ("version", models.IntegerField(db_default=1, default=1)),
                (
                    "compliance_tags",
                    ArrayField(
                        base_field=models.CharField(max_length=50), blank=True, db_default=[], default=list, size=None
                    ),
                ),
                ("retention_date", models.DateTimeField(blank=True, null=True)),
                (
                    "classification",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("public", "Public"),
                            ("internal", "Internal"),
                            ("confidential", "Confidential"),
                            ("restricted", "Restricted"),
                        ],
                        max_length=50,
                        null=True,
                    ),
                ),
                ("metadata", models.JSONField(blank=True, db_default={}, default=dict)),
                (
                    "credential",
                    models.ForeignKey(
                        db_index=False, on_delete=models.PROTECT, related_name="rotations", to="pam.credential"
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("scheduled", "Scheduled"),
                            ("in_progress", "In Progress"),
                            ("completed", "Completed"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                        ],
                        db_default="scheduled",
                        default="scheduled",
                        max_length=50,
                    ),
                ),
                ("scheduled_date", models.DateTimeField()),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("completed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "duration",
                    models.GeneratedField(
                        db_persist=True,
                        expression=models.F("completed_at") - models.F("started_at"),
                        output_field=models.DurationField(),
                    ),
                ),
                (
                    "rotation_type",
                    models.CharField(
                        choices=[("automatic", "Automatic"), ("manual", "Manual"), ("emergency", "Emergency")],
                        db_default="automatic",
                        default="automatic",
                        max_length=50,
                    ),
                ),
                ("triggered_by", models.CharField(blank=True, max_length=255, null=True)),
                ("reason", models.TextField(blank=True, null=True)),
                ("old_vault_path", models.CharField(blank=True, max_length=500, null=True)),
                ("new_vault_path", models.CharField(blank=True, max_length=500, null=True)),
                ("error_message", models.TextField(blank=True, null=True)),
                ("retry_count", models.IntegerField(db_default=0, default=0)),
                ("max_retries", models.IntegerField(db_default=3, default=3)),
                ("next_retry_at", models.DateTimeField(blank=True, null=True)),
                (
                    "verification_status",
                    models.CharField(
                        choices=[("pending", "Pending"), ("success", "Success"), ("failed", "Failed")],
                        db_default="pending",
                        default="pending",
                        max_length=50,
                    ),
                ),
                ("verification_details", models.TextField(blank=True, null=True)),
                ("rollback_available", models.BooleanField(db_default=True, default=True)),
                ("systems_updated", models.JSONField(blank=True, db_default=[], default=list)),
                ("notifications_sent", models.JSONField(blank=True, db_default=[], default=list)),
            ],
            options={
                "db_table": "credential_rotations",
                "indexes": [
                    Index(fields=["credential", "status"], name="ix_credential_rotations_cred_status"),
                    Index(fields=["scheduled_date", "status"], name="ix_credential_rotations_scheduled"),
                    Index(fields=["next_retry_at"], name="ix_credential_rotations_retry"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=IdCarriesTime("id", "created_at"),
                        name="ck_credential_rotations_id_time",
                        violation_error_message="The id carries another time than created_at.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("deleted_at__isnull", False), ("is_deleted", True)),
                            models.Q(("deleted_at__isnull", True), ("is_deleted", False)),
                            _connector="OR",
                        ),
                        name="ck_credential_rotations_deleted",
                        violation_error_message="Either is_deleted and deleted_at, or neither.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("classification__in", ["public", "internal", "confidential", "restricted"])
                        ),
                        name="ck_credential_rotations_classification",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("version__gt", 0)),
                        name="ck_credential_rotations_version",
                        violation_error_message="version: more than 0.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("retry_count__gte", 0)),
                        name="ck_credential_rotations_retry_count",
                        violation_error_message="retry_count: 0 or more.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("max_retries__gte", 0)),
                        name="ck_credential_rotations_max_retries",
                        violation_error_message="max_retries: 0 or more.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("status__in", ["scheduled", "in_progress", "completed", "failed", "cancelled"])
                        ),
                        name="ck_credential_rotations_status",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("rotation_type__in", ["automatic", "manual", "emergency"])),
                        name="ck_credential_rotations_rotation_type",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("verification_status__in", ["pending", "success", "failed"])),
                        name="ck_credential_rotations_verification_status",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("retry_count__lte", models.F("max_retries"))),
                        name="ck_credential_rotations_retries",
                        violation_error_message="There were more retries than allowed.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("next_retry_at__isnull", True), ("status", "failed"), _connector="OR"),
                        name="ck_credential_rotations_next_retry_at",
                        violation_error_message="Only a failed rotation is tried again.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("status", "completed"), _negated=True),
                            ("completed_at__isnull", False),
                            _connector="OR",
                        ),
                        name="ck_credential_rotations_completed",
                        violation_error_message="A completed rotation has the time of its completion.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("completed_at__isnull", True),
                            ("status__in", ["completed", "failed", "cancelled"]),
                            _connector="OR",
                        ),
                        name="ck_credential_rotations_ended",
                        violation_error_message="A rotation that is scheduled or in progress has no end yet.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("completed_at__gte", models.F("started_at"))),
                        name="ck_credential_rotations_completed_at",
                        violation_error_message="A rotation cannot end before it has begun.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="RoleAssignment",
            fields=[
                ("id", UUIDv7Field(editable=False, primary_key=True, serialize=False, time_field="created_at")),
                ("is_deleted", models.BooleanField(db_default=False, default=False)),
                ("deleted_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField(db_default=Now(), default=timezone.now)),
                ("updated_at", models.DateTimeField(db_default=Now(), default=timezone.now)),
                ("created_by", models.CharField(blank=True, max_length=255, null=True)),
                ("updated_by", models.CharField(blank=True, max_length=255, null=True)),
                ("version", models.IntegerField(db_default=1, default=1)),
                (
                    "compliance_tags",
                    ArrayField(
                        base_field=models.CharField(max_length=50), blank=True, db_default=[], default=list, size=None
                    ),
                ),
                ("retention_date", models.DateTimeField(blank=True, null=True)),
                (
                    "classification",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("public", "Public"),
                            ("internal", "Internal"),
                            ("confidential", "Confidential"),
                            ("restricted", "Restricted"),
                        ],
                        max_length=50,
                        null=True,
                    ),
                ),
                ("metadata", models.JSONField(blank=True, db_default={}, default=dict)),
                (
                    "directory_role",
                    models.ForeignKey(
                        db_index=False, on_delete=models.PROTECT, related_name="assignments", to="pam.directoryrole"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=models.PROTECT,
                        related_name="role_assignments",
                        to="pam.privilegeduser",
                    ),
                ),
                (
                    "service_identity",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=models.PROTECT,
                        related_name="role_assignments",
                        to="pam.serviceidentity",
                    ),
                ),
                ("assigned_at", models.DateTimeField(db_default=Now(), default=timezone.now)),
                ("assigned_by", models.CharField(max_length=255)),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("is_active", models.BooleanField(db_default=True, default=True)),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
                ("revoked_by", models.CharField(blank=True, max_length=255, null=True)),
                ("justification", models.TextField(blank=True, null=True)),
                ("ticket_number", models.CharField(blank=True, max_length=100, null=True)),
                ("approval_required", models.BooleanField(db_default=False, default=False)),
                ("approved_by", models.CharField(blank=True, max_length=255, null=True)),
                ("approved_at", models.DateTimeField(blank=True, null=True)),
                ("azure_assignment_id", models.CharField(blank=True, max_length=255, null=True)),
                (
                    "sync_status",
                    models.CharField(
                        choices=[("pending", "Pending"), ("synced", "Synced"), ("failed", "Failed")],
                        db_default="pending",
                        default="pending",
                        max_length=50,
                    ),
                ),
                ("last_sync_attempt", models.DateTimeField(blank=True, null=True)),
                ("sync_error", models.TextField(blank=True, null=True)),
                ("risk_score", models.IntegerField(blank=True, null=True)),
                ("risk_assessment_date", models.DateTimeField(blank=True, null=True)),
                ("requires_certification", models.BooleanField(db_default=False, default=False)),
                ("last_certified", models.DateTimeField(blank=True, null=True)),
                ("certified_by", models.CharField(blank=True, max_length=255, null=True)),
                ("next_certification_date", models.DateTimeField(blank=True, null=True)),
                ("is_emergency", models.BooleanField(db_default=False, default=False)),
                ("emergency_justification", models.TextField(blank=True, null=True)),
                ("emergency_approver", models.CharField(blank=True, max_length=255, null=True)),
                ("auto_revoke_hours", models.IntegerField(blank=True, null=True)),
                (
                    "assignment_source",
                    models.CharField(
                        choices=[
                            ("manual", "Manual"),
                            ("automated", "Automated"),
                            ("imported", "Imported"),
                            ("emergency", "Emergency"),
                        ],
                        db_default="manual",
                        default="manual",
                        max_length=50,
                    ),
                ),
                ("source_system", models.CharField(blank=True, max_length=100, null=True)),
                ("assignment_context", models.TextField(blank=True, null=True)),
            ],
            options={
                "db_table": "role_assignments",
                "indexes": [
                    Index(fields=["user", "is_active", "expires_at"], name="ix_role_assignments_user_active"),
                    Index(
                        fields=["service_identity", "is_active", "expires_at"],
                        name="ix_role_assignments_service_active",
                    ),
                    Index(fields=["directory_role", "is_active"], name="ix_role_assignments_role_active"),
                    Index(fields=["expires_at"], name="ix_role_assignments_expiry"),
                    Index(fields=["next_certification_date"], name="ix_role_assignments_certification"),
                    Index(fields=["is_emergency", "assigned_at"], name="ix_role_assignments_emergency"),
                    Index(fields=["sync_status", "last_sync_attempt"], name="ix_role_assignments_sync_status"),
                    Index(fields=["assigned_by"], name="ix_role_assignments_assigned_by"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("azure_assignment_id",), name="uq_role_assignments_azure_assignment_id"
                    ),
                    models.CheckConstraint(
                        condition=IdCarriesTime("id", "created_at"),
                        name="ck_role_assignments_id_time",
                        violation_error_message="The id carries another time than created_at.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("deleted_at__isnull", False), ("is_deleted", True)),
                            models.Q(("deleted_at__isnull", True), ("is_deleted", False)),
                            _connector="OR",
                        ),
                        name="ck_role_assignments_deleted",
                        violation_error_message="Either is_deleted and deleted_at, or neither.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("classification__in", ["public", "internal", "confidential", "restricted"])
                        ),
                        name="ck_role_assignments_classification",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("version__gt", 0)),
                        name="ck_role_assignments_version",
                        violation_error_message="version: more than 0.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("risk_score__range", (0, 100))),
                        name="ck_role_assignments_risk_score",
                        violation_error_message="risk_score: 0 to 100.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("auto_revoke_hours__gt", 0)),
                        name="ck_role_assignments_auto_revoke_hours",
                        violation_error_message="auto_revoke_hours: more than 0.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("sync_status__in", ["pending", "synced", "failed"])),
                        name="ck_role_assignments_sync_status",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("assignment_source__in", ["manual", "automated", "imported", "emergency"])),
                        name="ck_role_assignments_assignment_source",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("expires_at__gt", models.F("assigned_at"))),
                        name="ck_role_assignments_expires_at",
                        violation_error_message="expires_at must be after assigned_at.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("service_identity__isnull", True), ("user__isnull", False)),
                            models.Q(("service_identity__isnull", False), ("user__isnull", True)),
                            _connector="OR",
                        ),
                        name="ck_role_assignments_holder",
                        violation_error_message="Exactly one of the two holds the role: a user or a service identity.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("revoked_at__isnull", True), ("revoked_by__isnull", True)),
                            models.Q(
                                ("is_active", False), ("revoked_at__isnull", False), ("revoked_by__isnull", False)
                            ),
                            _connector="OR",
                        ),
                        name="ck_role_assignments_revoked",
                        violation_error_message="Revoked means: not active, and both when and by whom.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("revoked_at__gte", models.F("assigned_at"))),
                        name="ck_role_assignments_revoked_at",
                        violation_error_message="An assignment cannot be revoked before it was made.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("requires_certification", False),
                            ("next_certification_date__isnull", False),
                            _connector="OR",
                        ),
                        name="ck_role_assignments_certification",
                        violation_error_message="A certification that is required needs its next date.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("is_emergency", False),
                            models.Q(
                                ("emergency_justification__isnull", False),
                                ("emergency_justification__regex", "\\S"),
                                ("expires_at__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="ck_role_assignments_emergency",
                        violation_error_message="An emergency assignment has a justification and an end.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Session",
            fields=[
                ("id", UUIDv7Field(editable=False, primary_key=True, serialize=False, time_field="created_at")),
                ("is_deleted", models.BooleanField(db_default=False, default=False)),
                ("deleted_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField(db_default=Now(), default=timezone.now)),
                ("updated_at", models.DateTimeField(db_default=Now(), default=timezone.now)),
                ("created_by", models.CharField(blank=True, max_length=255, null=True)),
                ("updated_by", models.CharField(blank=True, max_length=255, null=True)),
                ("version", models.IntegerField(db_default=1, default=1)),
                (
                    "compliance_tags",
                    ArrayField(
                        base_field=models.CharField(max_length=50), blank=True, db_default=[], default=list, size=None
                    ),
                ),
                ("retention_date", models.DateTimeField(blank=True, null=True)),
                (
                    "classification",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("public", "Public"),
                            ("internal", "Internal"),
                            ("confidential", "Confidential"),
                            ("restricted", "Restricted"),
                        ],
                        max_length=50,
                        null=True,
                    ),
                ),
                ("metadata", models.JSONField(blank=True, db_default={}, default=dict)),
                ("session_token_hash", HexDigestField()),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False, on_delete=models.PROTECT, related_name="sessions", to="pam.privilegeduser"
                    ),
                ),
                ("last_activity", models.DateTimeField(db_default=Now(), default=timezone.now)),
                ("expires_at", models.DateTimeField()),
                ("is_active", models.BooleanField(db_default=True, default=True)),
                ("terminated_at", models.DateTimeField(blank=True, null=True)),
                (
                    "termination_reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("logout", "Logout"),
                            ("timeout", "Timeout"),
                            ("admin", "Admin"),
                            ("security", "Security"),
                        ],
                        max_length=100,
                        null=True,
                    ),
                ),
                (
                    "authentication_method",
                    models.CharField(
                        choices=[
                            ("password", "Password"),
                            ("mfa", "MFA"),
                            ("sso", "SSO"),
                            ("certificate", "Certificate"),
                        ],
                        max_length=50,
                    ),
                ),
                ("mfa_verified", models.BooleanField(db_default=False, default=False)),
                (
                    "mfa_methods",
                    ArrayField(base_field=models.CharField(), blank=True, db_default=[], default=list, size=None),
                ),
                ("risk_score", models.IntegerField(db_default=50, default=50)),
                ("source_ip", models.GenericIPAddressField()),
                ("user_agent", models.TextField(blank=True, null=True)),
                ("geographic_location", models.CharField(blank=True, max_length=255, null=True)),
                ("country_code", models.CharField(blank=True, max_length=2, null=True)),
                ("timezone", models.CharField(blank=True, max_length=50, null=True)),
                ("device_fingerprint", models.CharField(blank=True, max_length=255, null=True)),
                ("browser_name", models.CharField(blank=True, max_length=100, null=True)),
                ("browser_version", models.CharField(blank=True, max_length=50, null=True)),
                ("operating_system", models.CharField(blank=True, max_length=100, null=True)),
                ("device_type", models.CharField(blank=True, max_length=50, null=True)),
                ("is_mobile", models.BooleanField(db_default=False, default=False)),
                ("is_suspicious", models.BooleanField(db_default=False, default=False)),
                ("anomaly_score", models.FloatField(blank=True, null=True)),
                (
                    "security_flags",
                    ArrayField(base_field=models.CharField(), blank=True, db_default=[], default=list, size=None),
                ),
                ("concurrent_session_count", models.IntegerField(db_default=1, default=1)),
                ("request_count", models.IntegerField(db_default=0, default=0)),
                ("privileged_operations_count", models.IntegerField(db_default=0, default=0)),
                ("failed_operations_count", models.IntegerField(db_default=0, default=0)),
                ("last_privileged_operation", models.DateTimeField(blank=True, null=True)),
                ("session_name", models.CharField(blank=True, max_length=255, null=True)),
                ("application_context", models.CharField(blank=True, max_length=100, null=True)),
                ("client_version", models.CharField(blank=True, max_length=50, null=True)),
                ("compliance_notes", models.TextField(blank=True, null=True)),
            ],
            options={
                "db_table": "sessions",
                "indexes": [
                    Index(fields=["user", "is_active", "last_activity"], name="ix_sessions_user_active"),
                    Index(fields=["source_ip", "created_at"], name="ix_sessions_ip_created"),
                    Index(fields=["is_suspicious", "risk_score", "created_at"], name="ix_sessions_suspicious_risk"),
                    Index(fields=["device_fingerprint", "user"], name="ix_sessions_device_fingerprint"),
                    Index(fields=["expires_at", "is_active"], name="ix_sessions_expiry_cleanup"),
                    Index(fields=["country_code", "geographic_location"], name="ix_sessions_geographic"),
                    Index(fields=["last_activity"], name="ix_sessions_active_activity"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("session_token_hash",), name="uq_sessions_session_token_hash"),
                    models.CheckConstraint(
                        condition=IdCarriesTime("id", "created_at"),
                        name="ck_sessions_id_time",
                        violation_error_message="The id carries another time than created_at.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("deleted_at__isnull", False), ("is_deleted", True)),
                            models.Q(("deleted_at__isnull", True), ("is_deleted", False)),
                            _connector="OR",
                        ),
                        name="ck_sessions_deleted",
                        violation_error_message="Either is_deleted and deleted_at, or neither.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("classification__in", ["public", "internal", "confidential", "restricted"])
                        ),
                        name="ck_sessions_classification",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("version__gt", 0)),
                        name="ck_sessions_version",
                        violation_error_message="version: more than 0.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("risk_score__range", (0, 100))),
                        name="ck_sessions_risk_score",
                        violation_error_message="risk_score: 0 to 100.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("anomaly_score__range", (0, 100))),
                        name="ck_sessions_anomaly_score",
                        violation_error_message="anomaly_score: 0 to 100.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("concurrent_session_count__gte", 0)),
                        name="ck_sessions_concurrent_session_count",
                        violation_error_message="concurrent_session_count: 0 or more.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("request_count__gte", 0)),
                        name="ck_sessions_request_count",
                        violation_error_message="request_count: 0 or more.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("privileged_operations_count__gte", 0)),
                        name="ck_sessions_privileged_operations_count",
                        violation_error_message="privileged_operations_count: 0 or more.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("failed_operations_count__gte", 0)),
                        name="ck_sessions_failed_operations_count",
                        violation_error_message="failed_operations_count: 0 or more.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("session_token_hash__regex", "^[0-9a-f]{64}$")),
                        name="ck_sessions_session_token_hash",
                        violation_error_message="session_token_hash: 64 lower-case hexadecimal digits.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("termination_reason__in", ["logout", "timeout", "admin", "security"])),
                        name="ck_sessions_termination_reason",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("authentication_method__in", ["password", "mfa", "sso", "certificate"])),
                        name="ck_sessions_authentication_method",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("expires_at__gt", models.F("created_at"))),
                        name="ck_sessions_expires_at",
                        violation_error_message="expires_at must be after created_at.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("terminated_at__gte", models.F("created_at"))),
                        name="ck_sessions_terminated_at",
                        violation_error_message="A session cannot end before it has begun.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("is_active", True),
                                ("terminated_at__isnull", True),
                                ("termination_reason__isnull", True),
                            ),
                            models.Q(("is_active", False), ("terminated_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="ck_sessions_terminated",
                        violation_error_message="Active, or ended with its time; only then a reason.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="AuditLog",
            fields=[
                ("id", UUIDv7Field(editable=False, primary_key=True, serialize=False, time_field="timestamp")),
                (
                    "event_type",
                    models.CharField(
                        choices=[
                            ("authentication", "Authentication"),
                            ("authorization", "Authorization"),
                            ("privileged_operation", "Privileged Operation"),
                            ("credential_access", "Credential Access"),
                            ("configuration", "Configuration"),
                            ("compliance", "Compliance"),
                            ("security_incident", "Security Incident"),
                        ],
                        max_length=100,
                    ),
                ),
                ("event_subtype", models.CharField(blank=True, max_length=100, null=True)),
                ("action", models.CharField(max_length=100)),
                (
                    "result",
                    models.CharField(
                        choices=[
                            ("success", "Success"),
                            ("failure", "Failure"),
                            ("denied", "Denied"),
                            ("error", "Error"),
                        ],
                        max_length=50,
                    ),
                ),
                ("timestamp", models.DateTimeField(db_default=Now(), default=timezone.now)),
                ("duration_ms", models.IntegerField(blank=True, null=True)),
                (
                    "actor_user",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=models.DO_NOTHING,
                        related_name="+",
                        to="pam.privilegeduser",
                    ),
                ),
                (
                    "actor_service_identity",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=models.DO_NOTHING,
                        related_name="+",
                        to="pam.serviceidentity",
                    ),
                ),
                ("actor_upn", UpnField(blank=True, max_length=255, null=True)),
                ("actor_display_name", models.CharField(blank=True, max_length=255, null=True)),
                (
                    "target_user",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=models.DO_NOTHING,
                        related_name="+",
                        to="pam.privilegeduser",
                    ),
                ),
                (
                    "target_service_identity",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=models.DO_NOTHING,
                        related_name="+",
                        to="pam.serviceidentity",
                    ),
                ),
                ("target_resource_type", models.CharField(blank=True, max_length=100, null=True)),
                ("target_resource_id", models.CharField(blank=True, max_length=255, null=True)),
                ("target_resource_name", models.CharField(blank=True, max_length=255, null=True)),
                ("session_id", models.UUIDField(blank=True, null=True)),
                ("correlation_id", models.CharField(blank=True, max_length=255, null=True)),
                ("request_id", models.CharField(blank=True, max_length=255, null=True)),
                ("transaction_id", models.CharField(blank=True, max_length=255, null=True)),
                ("source_ip", models.GenericIPAddressField(blank=True, null=True)),
                ("user_agent", models.TextField(blank=True, null=True)),
                ("geographic_location", models.CharField(blank=True, max_length=255, null=True)),
                ("description", models.TextField()),
                ("details", models.TextField(blank=True, null=True)),
                ("previous_values", models.JSONField(blank=True, null=True)),
                ("new_values", models.JSONField(blank=True, null=True)),
                ("risk_score", models.IntegerField(blank=True, null=True)),
                (
                    "severity",
                    models.CharField(
                        choices=[
                            ("low", "Low"),
                            ("info", "Info"),
                            ("warning", "Warning"),
                            ("high", "High"),
                            ("critical", "Critical"),
                        ],
                        db_default="info",
                        default="info",
                        max_length=50,
                    ),
                ),
                ("is_suspicious", models.BooleanField(db_default=False, default=False)),
                ("anomaly_score", models.FloatField(blank=True, null=True)),
                (
                    "compliance_frameworks",
                    ArrayField(
                        base_field=models.CharField(max_length=32), blank=True, db_default=[], default=list, size=None
                    ),
                ),
                ("regulatory_classification", models.CharField(blank=True, max_length=100, null=True)),
                ("retention_date", models.DateTimeField(blank=True, null=True)),
                ("application", models.CharField(db_default="menshun", default="menshun", max_length=100)),
                ("service", models.CharField(blank=True, max_length=100, null=True)),
                ("api_endpoint", models.CharField(blank=True, max_length=255, null=True)),
                ("http_method", models.CharField(blank=True, max_length=10, null=True)),
                ("response_code", models.IntegerField(blank=True, null=True)),
                ("error_code", models.CharField(blank=True, max_length=100, null=True)),
                ("error_message", models.TextField(blank=True, null=True)),
                ("stack_trace", models.TextField(blank=True, null=True)),
                ("checksum", HexDigestField(blank=True, null=True)),
                ("signature", models.TextField(blank=True, null=True)),
            ],
            options={
                "db_table": "audit_logs",
                "indexes": [
                    Index(fields=["timestamp", "event_type"], name="ix_audit_logs_timestamp_type"),
                    Index(fields=["actor_upn", "timestamp"], name="ix_audit_logs_actor_timestamp"),
                    Index(
                        fields=["target_resource_type", "target_resource_id", "timestamp"],
                        name="ix_audit_logs_target_timestamp",
                    ),
                    Index(fields=["session_id", "correlation_id"], name="ix_audit_logs_session_correlation"),
                    Index(fields=["severity", "is_suspicious", "timestamp"], name="ix_audit_logs_severity_suspicious"),
                    Index(fields=["source_ip", "timestamp"], name="ix_audit_logs_source_ip"),
                    Index(fields=["retention_date"], name="ix_audit_logs_retention"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=IdCarriesTime("id", "timestamp"),
                        name="ck_audit_logs_id_time",
                        violation_error_message="The id carries another time than timestamp.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("actor_upn", Lower("actor_upn"))),
                        name="ck_audit_logs_actor_upn",
                        violation_error_message="actor_upn: lower case.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("risk_score__range", (0, 100))),
                        name="ck_audit_logs_risk_score",
                        violation_error_message="risk_score: 0 to 100.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("anomaly_score__range", (0, 100))),
                        name="ck_audit_logs_anomaly_score",
                        violation_error_message="anomaly_score: 0 to 100.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("duration_ms__gte", 0)),
                        name="ck_audit_logs_duration_ms",
                        violation_error_message="duration_ms: 0 or more.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "event_type__in",
                                [
                                    "authentication",
                                    "authorization",
                                    "privileged_operation",
                                    "credential_access",
                                    "configuration",
                                    "compliance",
                                    "security_incident",
                                ],
                            )
                        ),
                        name="ck_audit_logs_event_type",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("result__in", ["success", "failure", "denied", "error"])),
                        name="ck_audit_logs_result",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("severity__in", ["low", "info", "warning", "high", "critical"])),
                        name="ck_audit_logs_severity",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("checksum__regex", "^[0-9a-f]{64}$")),
                        name="ck_audit_logs_checksum",
                        violation_error_message="checksum: 64 lower-case hexadecimal digits.",
                    ),
                ],
            },
        ),
        AppendOnly(
            model_name="AuditLog",
        ),
        # Referenced tables first, as writers take them.
        LockBeforeDrop(
            model_names=[
                "PrivilegedUser",
                "DirectoryRole",
                "DirectoryRoleConflict",
                "ServiceIdentity",
                "Credential",
                "CredentialRotation",
                "RoleAssignment",
                "Session",
                "AuditLog",
            ],
        ),
    ]
