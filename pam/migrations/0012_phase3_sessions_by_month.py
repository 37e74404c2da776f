"""`sessions` becomes a table of monthly partitions, online. Interrupted, it is simply run again, and goes on."""

from django.db import migrations

from pam.postgres.operations import PartitionByMonth


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("pam", "0011_phase3_audit_logs_by_month")]
    operations = [PartitionByMonth("Session", time="created_at")]
