"""The branches meet: with this, a plain `migrate` means all phases, and what the lists of the admin need.

Empty, like every join.
"""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("pam", "0094_all_phases"),
        ("pam", "0015_phase3_report_indexes"),
        ("pam", "0024_report_search_index"),
        ("pam", "0025_rotation_list_index"),
    ]
    operations = []
