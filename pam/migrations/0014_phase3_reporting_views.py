"""Four reports, as materialized views. They come after the conversion to months and go before the way back.

A view follows the table that it was made upon, not its name: left there through a swap, it would read the old table.
Each is filled as it is made, under ACCESS SHARE on the tables that it reads, which blocks nobody. Its SQL is what its
model made when this was written, and stays as it is; a test holds the two against each other.
"""

from django.db import migrations, models
from psqlextra.indexes import UniqueIndex

from pam.postgres.operations import CreateMaterializedView

# Active assignments by role and by department of the holder, a user or a service identity.
PRIVILEGED_ACCESS = """\
SELECT
    "role_assignments"."directory_role_id" AS "role_id",
    "directory_roles"."role_name" AS "role_name",
    "directory_roles"."risk_level" AS "risk_level",
    "directory_roles"."is_privileged" AS "is_privileged",
    COALESCE("privileged_users"."department", "service_identities"."department") AS "department",
    COUNT("role_assignments"."id") AS "assignments",
    COUNT(DISTINCT "role_assignments"."user_id") AS "users",
    COUNT(DISTINCT "role_assignments"."service_identity_id") AS "service_identities",
    COUNT("role_assignments"."id") FILTER (WHERE "role_assignments"."is_emergency") AS "emergencies",
    COUNT("role_assignments"."id") FILTER (WHERE "role_assignments"."expires_at" IS NULL) AS "without_end",
    COUNT("role_assignments"."id") FILTER (WHERE "role_assignments"."expires_at" < CURRENT_TIMESTAMP) AS "past_end",
    COUNT("role_assignments"."id") FILTER (
        WHERE "role_assignments"."next_certification_date" <= CURRENT_TIMESTAMP
            AND "role_assignments"."requires_certification"
    ) AS "to_certify",
    COUNT("role_assignments"."id") FILTER (
        WHERE "privileged_users"."is_deleted" OR NOT "privileged_users"."is_active"
            OR "service_identities"."is_deleted" OR NOT "service_identities"."is_active"
    ) AS "of_closed_holders",
    (JSONB_BUILD_ARRAY(
        "role_assignments"."directory_role_id",
        COALESCE("privileged_users"."department", "service_identities"."department")
    ))::text AS "key",
    CURRENT_TIMESTAMP AS "refreshed_at"
FROM "role_assignments"
INNER JOIN "directory_roles" ON "role_assignments"."directory_role_id" = "directory_roles"."id"
LEFT OUTER JOIN "privileged_users" ON "role_assignments"."user_id" = "privileged_users"."id"
LEFT OUTER JOIN "service_identities" ON "role_assignments"."service_identity_id" = "service_identities"."id"
WHERE NOT "role_assignments"."is_deleted" AND "role_assignments"."is_active"
GROUP BY 1, 2, 3, 4, 5, 14, 15"""

# Active credentials by environment, department and kind: on schedule, overdue or unscheduled.
CREDENTIAL_ROTATION = """\
SELECT
    "credentials"."credential_type" AS "credential_type",
    "service_identities"."environment" AS "environment",
    "service_identities"."department" AS "department",
    COUNT("credentials"."id") AS "credentials",
    COUNT("credentials"."id") FILTER (WHERE "credentials"."next_rotation_date" > CURRENT_TIMESTAMP) AS "on_schedule",
    COUNT("credentials"."id") FILTER (WHERE "credentials"."next_rotation_date" <= CURRENT_TIMESTAMP) AS "overdue",
    COUNT("credentials"."id") FILTER (WHERE "credentials"."next_rotation_date" IS NULL) AS "unscheduled",
    COUNT("credentials"."id") FILTER (
        WHERE "credentials"."next_rotation_date" > CURRENT_TIMESTAMP
            AND "credentials"."next_rotation_date"
                <= ((CURRENT_TIMESTAMP AT TIME ZONE 'UTC' + INTERVAL '14 days') AT TIME ZONE 'UTC')
    ) AS "due_soon",
    COUNT("credentials"."id") FILTER (WHERE NOT "credentials"."auto_rotation_enabled") AS "rotated_by_hand",
    COUNT("credentials"."id") FILTER (
        WHERE (
            SELECT U0."status" AS "status"
            FROM "credential_rotations" U0
            WHERE NOT U0."is_deleted" AND U0."credential_id" = "credentials"."id"
            ORDER BY U0."scheduled_date" DESC, U0."id" DESC
            LIMIT 1
        ) = 'failed'
    ) AS "rotation_failed",
    COUNT("credentials"."id") FILTER (WHERE "credentials"."expires_at" < CURRENT_TIMESTAMP) AS "expired",
    MIN("credentials"."next_rotation_date") FILTER (
        WHERE "credentials"."next_rotation_date" <= CURRENT_TIMESTAMP
    ) AS "oldest_due",
    (JSONB_BUILD_ARRAY(
        "service_identities"."environment", "service_identities"."department", "credentials"."credential_type"
    ))::text AS "key",
    CURRENT_TIMESTAMP AS "refreshed_at"
FROM "credentials"
INNER JOIN "service_identities" ON "credentials"."service_identity_id" = "service_identities"."id"
WHERE NOT "credentials"."is_deleted" AND "credentials"."status" = 'active'
GROUP BY 1, 2, 3, 13, 14"""

# Events of the month of now() and of the one before, in UTC: the server reads these two partitions alone.
AUDIT_EVENTS = """\
SELECT
    "audit_logs"."event_type" AS "event_type",
    "audit_logs"."result" AS "result",
    ("audit_logs"."timestamp" AT TIME ZONE 'UTC')::date AS "day",
    COUNT("audit_logs"."id") AS "events",
    COUNT("audit_logs"."id") FILTER (WHERE "audit_logs"."is_suspicious") AS "suspicious",
    COUNT("audit_logs"."id") FILTER (WHERE "audit_logs"."severity" IN ('high', 'critical')) AS "severe",
    (JSONB_BUILD_ARRAY(
        ("audit_logs"."timestamp" AT TIME ZONE 'UTC')::date, "audit_logs"."event_type", "audit_logs"."result"
    ))::text AS "key",
    CURRENT_TIMESTAMP AS "refreshed_at"
FROM "audit_logs"
WHERE "audit_logs"."timestamp"
        >= ((DATE_TRUNC('month', CURRENT_TIMESTAMP AT TIME ZONE 'UTC') + INTERVAL '-1 months') AT TIME ZONE 'UTC')
    AND "audit_logs"."timestamp"
        < ((DATE_TRUNC('month', CURRENT_TIMESTAMP AT TIME ZONE 'UTC') + INTERVAL '1 months') AT TIME ZONE 'UTC')
GROUP BY 1, 2, 3, 7, 8"""

# Open accounts that nobody uses or that are risky, and closed ones that still hold roles.
ACCOUNT_RISK = """\
(
SELECT
    (JSONB_BUILD_ARRAY('user', "privileged_users"."id"))::text AS "key",
    'user' AS "kind",
    "privileged_users"."id" AS "account_id",
    "privileged_users"."upn" AS "name",
    "privileged_users"."department" AS "department",
    "privileged_users"."risk_level" AS "risk_level",
    "privileged_users"."risk_score" AS "risk_score",
    "privileged_users"."compliance_status" AS "compliance_status",
    GREATEST("privileged_users"."last_sign_in", "privileged_users"."last_activity") AS "last_seen",
    COALESCE((
        SELECT COUNT(U0."id") AS "number"
        FROM "role_assignments" U0
        WHERE NOT U0."is_deleted" AND U0."is_active" AND U0."user_id" = "privileged_users"."id"
        GROUP BY U0."user_id"
    ), 0) AS "roles",
    COALESCE((
        SELECT COUNT(U0."id") AS "number"
        FROM "role_assignments" U0
        INNER JOIN "directory_roles" U2 ON U0."directory_role_id" = U2."id"
        WHERE NOT U0."is_deleted" AND U0."is_active" AND U0."user_id" = "privileged_users"."id"
            AND U2."is_privileged"
        GROUP BY U0."user_id"
    ), 0) AS "privileged_roles",
    (
        "privileged_users"."is_deleted" OR NOT "privileged_users"."is_active"
        OR NOT "privileged_users"."account_enabled" OR "privileged_users"."blocked_sign_in"
    ) AS "is_closed",
    COALESCE(
        GREATEST("privileged_users"."last_sign_in", "privileged_users"."last_activity"),
        "privileged_users"."created_at"
    ) < ((CURRENT_TIMESTAMP AT TIME ZONE 'UTC' + INTERVAL '-90 days') AT TIME ZONE 'UTC') AS "is_dormant",
    (
        "privileged_users"."risk_level" IN ('high', 'critical')
        OR "privileged_users"."compliance_status" = 'non_compliant'
    ) AS "is_risky",
    CURRENT_TIMESTAMP AS "refreshed_at"
FROM "privileged_users"
WHERE (
    NOT (
        "privileged_users"."is_deleted" OR NOT "privileged_users"."is_active"
        OR NOT "privileged_users"."account_enabled" OR "privileged_users"."blocked_sign_in"
    ) AND (
        COALESCE(
            GREATEST("privileged_users"."last_sign_in", "privileged_users"."last_activity"),
            "privileged_users"."created_at"
        ) < ((CURRENT_TIMESTAMP AT TIME ZONE 'UTC' + INTERVAL '-90 days') AT TIME ZONE 'UTC')
        OR (
            "privileged_users"."risk_level" IN ('high', 'critical')
            OR "privileged_users"."compliance_status" = 'non_compliant'
        )
    )
) OR (
    (
        "privileged_users"."is_deleted" OR NOT "privileged_users"."is_active"
        OR NOT "privileged_users"."account_enabled" OR "privileged_users"."blocked_sign_in"
    ) AND EXISTS (
        SELECT 1 AS "a"
        FROM "role_assignments" U0
        WHERE NOT U0."is_deleted" AND U0."is_active" AND U0."user_id" = "privileged_users"."id"
        LIMIT 1
    )
)
) UNION ALL (
SELECT
    (JSONB_BUILD_ARRAY('service_identity', "service_identities"."id"))::text AS "key",
    'service_identity' AS "kind",
    "service_identities"."id" AS "account_id",
    "service_identities"."name" AS "name",
    "service_identities"."department" AS "department",
    "service_identities"."risk_level" AS "risk_level",
    "service_identities"."risk_score" AS "risk_score",
    "service_identities"."compliance_status" AS "compliance_status",
    "service_identities"."last_used" AS "last_seen",
    COALESCE((
        SELECT COUNT(U0."id") AS "number"
        FROM "role_assignments" U0
        WHERE NOT U0."is_deleted" AND U0."is_active" AND U0."service_identity_id" = "service_identities"."id"
        GROUP BY U0."service_identity_id"
    ), 0) AS "roles",
    COALESCE((
        SELECT COUNT(U0."id") AS "number"
        FROM "role_assignments" U0
        INNER JOIN "directory_roles" U2 ON U0."directory_role_id" = U2."id"
        WHERE NOT U0."is_deleted" AND U0."is_active" AND U0."service_identity_id" = "service_identities"."id"
            AND U2."is_privileged"
        GROUP BY U0."service_identity_id"
    ), 0) AS "privileged_roles",
    (
        "service_identities"."is_deleted" OR NOT "service_identities"."is_active"
        OR NOT "service_identities"."account_enabled"
    ) AS "is_closed",
    COALESCE("service_identities"."last_used", "service_identities"."created_at")
        < ((CURRENT_TIMESTAMP AT TIME ZONE 'UTC' + INTERVAL '-90 days') AT TIME ZONE 'UTC') AS "is_dormant",
    (
        "service_identities"."risk_level" IN ('high', 'critical')
        OR "service_identities"."compliance_status" = 'non_compliant'
    ) AS "is_risky",
    CURRENT_TIMESTAMP AS "refreshed_at"
FROM "service_identities"
WHERE (
    NOT (
        "service_identities"."is_deleted" OR NOT "service_identities"."is_active"
        OR NOT "service_identities"."account_enabled"
    ) AND (
        COALESCE("service_identities"."last_used", "service_identities"."created_at")
        < ((CURRENT_TIMESTAMP AT TIME ZONE 'UTC' + INTERVAL '-90 days') AT TIME ZONE 'UTC')
        OR (
            "service_identities"."risk_level" IN ('high', 'critical')
            OR "service_identities"."compliance_status" = 'non_compliant'
        )
    )
) OR (
    (
        "service_identities"."is_deleted" OR NOT "service_identities"."is_active"
        OR NOT "service_identities"."account_enabled"
    ) AND EXISTS (
        SELECT 1 AS "a"
        FROM "role_assignments" U0
        WHERE NOT U0."is_deleted" AND U0."is_active" AND U0."service_identity_id" = "service_identities"."id"
        LIMIT 1
    )
)
)"""


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("pam", "0013_phase3_extended_statistics")]
    operations = [
        CreateMaterializedView(
            name="PrivilegedAccessReport",
            reads=["RoleAssignment", "DirectoryRole", "PrivilegedUser", "ServiceIdentity"],
            query=PRIVILEGED_ACCESS,
            fields=[
                ("key", models.TextField(primary_key=True, serialize=False)),
                ("refreshed_at", models.DateTimeField()),
                ("role_id", models.UUIDField()),
                ("role_name", models.CharField(max_length=255)),
                (
                    "risk_level",
                    models.CharField(
                        choices=[("low", "Low"), ("medium", "Medium"), ("high", "High"), ("critical", "Critical")],
                        max_length=50,
                    ),
                ),
                ("is_privileged", models.BooleanField()),
                ("department", models.CharField(max_length=255, null=True)),
                ("assignments", models.BigIntegerField(help_text="Active ones.")),
                ("users", models.BigIntegerField(help_text="People among the holders.")),
                ("service_identities", models.BigIntegerField(help_text="Service identities among the holders.")),
                ("emergencies", models.BigIntegerField(help_text="Assignments that were given in an emergency.")),
                ("without_end", models.BigIntegerField(help_text="Assignments that never expire.")),
                (
                    "past_end",
                    models.BigIntegerField(help_text="Assignments that should have ended and are still active."),
                ),
                ("to_certify", models.BigIntegerField(help_text="Assignments whose certification is due.")),
                (
                    "of_closed_holders",
                    models.BigIntegerField(help_text="Assignments of accounts that are closed or deleted."),
                ),
            ],
            options={
                "verbose_name": "privileged access",
                "verbose_name_plural": "report: privileged access",
                "db_table": "report_privileged_access",
                "default_permissions": ("view",),
                "indexes": [UniqueIndex(fields=["key"], name="uq_report_privileged_access")],
            },
        ),
        CreateMaterializedView(
            name="CredentialRotationReport",
            reads=["Credential", "ServiceIdentity", "CredentialRotation"],
            query=CREDENTIAL_ROTATION,
            fields=[
                ("key", models.TextField(primary_key=True, serialize=False)),
                ("refreshed_at", models.DateTimeField()),
                (
                    "environment",
                    models.CharField(
                        choices=[
                            ("production", "Production"),
                            ("staging", "Staging"),
                            ("development", "Development"),
                            ("test", "Test"),
                        ],
                        max_length=50,
                    ),
                ),
                ("department", models.CharField(max_length=255, null=True)),
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
                ("credentials", models.BigIntegerField(help_text="Active ones; the next three add up to it.")),
                ("on_schedule", models.BigIntegerField(help_text="The next rotation is still to come.")),
                ("overdue", models.BigIntegerField(help_text="The next rotation is due.")),
                ("unscheduled", models.BigIntegerField(help_text="No rotation is planned.")),
                ("due_soon", models.BigIntegerField(help_text="On schedule, and due within 14 days.")),
                ("rotated_by_hand", models.BigIntegerField(help_text="The rotation worker leaves them alone.")),
                ("rotation_failed", models.BigIntegerField(help_text="The last rotation did not work.")),
                ("expired", models.BigIntegerField(help_text="Past their end and still active.")),
                ("oldest_due", models.DateTimeField(help_text="Since when the longest overdue one is.", null=True)),
            ],
            options={
                "verbose_name": "rotation compliance",
                "verbose_name_plural": "report: credential rotation",
                "db_table": "report_credential_rotation",
                "default_permissions": ("view",),
                "indexes": [UniqueIndex(fields=["key"], name="uq_report_credential_rotation")],
            },
        ),
        CreateMaterializedView(
            name="AuditEventReport",
            reads=["AuditLog"],
            query=AUDIT_EVENTS,
            fields=[
                ("key", models.TextField(primary_key=True, serialize=False)),
                ("refreshed_at", models.DateTimeField()),
                ("day", models.DateField(help_text="In UTC.")),
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
                ("events", models.BigIntegerField()),
                ("suspicious", models.BigIntegerField(help_text="Events that are marked as suspicious.")),
                ("severe", models.BigIntegerField(help_text="Events of high or critical severity.")),
            ],
            options={
                "verbose_name": "events of a day",
                "verbose_name_plural": "report: audit events",
                "db_table": "report_audit_events",
                "default_permissions": ("view",),
                "indexes": [UniqueIndex(fields=["key"], name="uq_report_audit_events")],
            },
        ),
        CreateMaterializedView(
            name="AccountRiskReport",
            reads=["PrivilegedUser", "ServiceIdentity", "RoleAssignment", "DirectoryRole"],
            query=ACCOUNT_RISK,
            fields=[
                ("key", models.TextField(primary_key=True, serialize=False)),
                ("refreshed_at", models.DateTimeField()),
                ("kind", models.TextField(choices=[("user", "User"), ("service_identity", "Service Identity")])),
                ("account_id", models.UUIDField()),
                ("name", models.CharField(help_text="Of a user the UPN.", max_length=255)),
                ("department", models.CharField(max_length=255, null=True)),
                (
                    "risk_level",
                    models.CharField(
                        choices=[("low", "Low"), ("medium", "Medium"), ("high", "High"), ("critical", "Critical")],
                        max_length=50,
                    ),
                ),
                ("risk_score", models.IntegerField(null=True)),
                (
                    "compliance_status",
                    models.CharField(
                        choices=[
                            ("compliant", "Compliant"),
                            ("non_compliant", "Non Compliant"),
                            ("pending_review", "Pending Review"),
                        ],
                        max_length=50,
                    ),
                ),
                ("last_seen", models.DateTimeField(help_text="Never, if empty.", null=True)),
                ("roles", models.BigIntegerField(help_text="Active assignments.")),
                ("privileged_roles", models.BigIntegerField(help_text="Those of privileged roles among them.")),
                (
                    "is_closed",
                    models.BooleanField(help_text="Closed, blocked or deleted; it is here since it still holds roles."),
                ),
                ("is_dormant", models.BooleanField(help_text="Not used for 90 days.")),
                ("is_risky", models.BooleanField(help_text="Of high or critical risk, or not compliant.")),
            ],
            options={
                "verbose_name": "account to look at",
                "verbose_name_plural": "report: dormant and risky accounts",
                "db_table": "report_account_risk",
                "default_permissions": ("view",),
                "indexes": [UniqueIndex(fields=["key"], name="uq_report_account_risk")],
            },
        ),
    ]
