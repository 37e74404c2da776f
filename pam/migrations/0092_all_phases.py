"""The branches meet: with this, a plain `migrate` means all phases. Empty, like every join."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("pam", "0091_all_phases"), ("pam", "0013_phase3_extended_statistics")]
    operations = []
