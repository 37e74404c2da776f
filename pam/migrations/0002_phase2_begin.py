"""Phase 2 begins: everything up to `phase2_end` hangs off this marker.

Phases are branches, not a chain: phase 3 hangs off phase 1 too, beside this one, in the numbers 0010 to 0089. So
`migrate pam 0002_phase2_begin` takes back phase 2 and nothing else.
"""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("pam", "0001_phase1_initial")]
    operations = []
