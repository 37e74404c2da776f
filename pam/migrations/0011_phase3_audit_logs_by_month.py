"""`audit_logs` becomes a table of monthly partitions, online. Interrupted, it is simply run again, and goes on."""

from django.db import migrations

from pam.postgres.operations import PartitionByMonth


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("pam", "0010_phase3_begin")]
    operations = [PartitionByMonth("AuditLog", time="timestamp")]
