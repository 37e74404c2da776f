"""The table of sizes, by which `pam_sizes` tells growth. It belongs to no phase: all of them come and go without it."""

from django.db import migrations, models

from pam.postgres.operations import LockBeforeDrop


class Migration(migrations.Migration):
    dependencies = [("pam", "0001_phase1_initial")]
    operations = [
        migrations.CreateModel(
            name="SizeSnapshot",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "taken_at", "relation", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("taken_at", models.DateTimeField()),
                ("relation", models.CharField(max_length=127)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("table", "Table"),
                            ("partitioned table", "Partitioned Table"),
                            ("materialized view", "Materialized View"),
                            ("database", "Database"),
                        ],
                        max_length=20,
                    ),
                ),
                ("heap_bytes", models.BigIntegerField(null=True)),
                ("index_bytes", models.BigIntegerField(null=True)),
                ("toast_bytes", models.BigIntegerField(null=True)),
                ("total_bytes", models.BigIntegerField()),
                ("rows", models.BigIntegerField(null=True)),
            ],
            options={
                "db_table": "size_snapshots",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("kind__in", ["table", "partitioned table", "materialized view", "database"])
                        ),
                        name="ck_size_snapshots_kind",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("kind", "database"),
                            models.Q(
                                ("heap_bytes__isnull", False),
                                ("index_bytes__isnull", False),
                                ("toast_bytes__isnull", False),
                                (
                                    "total_bytes",
                                    models.F("heap_bytes") + models.F("index_bytes") + models.F("toast_bytes"),
                                ),
                            ),
                            _connector="OR",
                        ),
                        name="ck_size_snapshots_total_bytes",
                        violation_error_message="The total is the sum of its parts.",
                    ),
                ],
            },
        ),
        LockBeforeDrop(model_names=["SizeSnapshot"]),
    ]
