"""Who may do what, besides editing: a permission for each duty and for the export. No table changes; of no phase."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("pam", "0001_phase1_initial")]
    operations = [
        migrations.AlterModelOptions(
            name="auditlog",
            options={"permissions": [("export_auditlog", "Can export audit logs")]},
        ),
        migrations.AlterModelOptions(
            name="credentialrotation",
            options={
                "permissions": [
                    ("request_credentialrotation", "Can request credential rotations"),
                    ("retry_credentialrotation", "Can retry failed credential rotations"),
                ]
            },
        ),
        migrations.AlterModelOptions(
            name="privilegeduser",
            options={
                "permissions": [
                    ("disable_privilegeduser", "Can disable privileged users"),
                    ("enable_privilegeduser", "Can enable privileged users"),
                ]
            },
        ),
        migrations.AlterModelOptions(
            name="roleassignment",
            options={
                "permissions": [
                    ("revoke_roleassignment", "Can revoke role assignments"),
                    ("end_emergency_roleassignment", "Can end emergency role assignments"),
                    ("certify_roleassignment", "Can certify role assignments"),
                    ("approve_roleassignment", "Can approve role assignments"),
                ]
            },
        ),
        migrations.AlterModelOptions(
            name="serviceidentity",
            options={
                "permissions": [
                    ("suspend_serviceidentity", "Can suspend service identities"),
                    ("reactivate_serviceidentity", "Can reactivate service identities"),
                ],
                "verbose_name_plural": "service identities",
            },
        ),
        migrations.AlterModelOptions(
            name="session",
            options={"permissions": [("terminate_session", "Can terminate sessions")]},
        ),
    ]
