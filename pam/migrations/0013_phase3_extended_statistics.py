"""What the planner must know of columns that go together, and cannot guess; on plain and on partitioned tables.

Each is here for a query of the workload whose number of rows is guessed wrongly without it, and rightly with it.
"""

from django.db import migrations

from pam.postgres.operations import AddExtendedStatistics


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("pam", "0012_phase3_sessions_by_month")]
    operations = [
        AddExtendedStatistics(
            "AuditLog", "st_audit_logs_outcome", fields=["event_type", "severity", "result"], kinds=["mcv"]
        ),
        AddExtendedStatistics(
            "ServiceIdentity", "st_service_identities_activity", fields=["is_active", "status"], kinds=["mcv"]
        ),
    ]
