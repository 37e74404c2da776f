"""The branches meet: with this, a plain `migrate` means all phases, and what the lists of the admin need.

Empty, like every join.
"""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("pam", "0093_all_phases"),
        ("pam", "0022_list_indexes"),
        ("pam", "0023_search_indexes"),
    ]
    operations = []
