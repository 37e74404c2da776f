"""Phase 2 ends. Empty, like every marker.

Its number is after the last one of phase 3 will be: Django walks the parent with the larger name first, so the
migration that joins the branches makes a plain `migrate` run phase 2 before phase 3.
"""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("pam", "0005_phase2_unique_constraints")]
    operations = []
