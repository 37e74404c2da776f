"""The branches meet: with this, a plain `migrate` means all phases. Empty, like every join."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("pam", "0090_phase2_end"), ("pam", "0012_phase3_sessions_by_month")]
    operations = []
