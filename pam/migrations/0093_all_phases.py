"""The branches meet: with this, a plain `migrate` means all phases, the table of sizes and the permissions.

Empty, like every join.
"""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("pam", "0092_all_phases"),
        ("pam", "0014_phase3_reporting_views"),
        ("pam", "0020_size_snapshots"),
        ("pam", "0021_duty_permissions"),
    ]
    operations = []
