"""The branches meet: with this, a plain `migrate` means all phases, and the table of sizes. Empty, like every join."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("pam", "0092_all_phases"),
        ("pam", "0014_phase3_reporting_views"),
        ("pam", "0020_size_snapshots"),
    ]
    operations = []
