"""Phase 3 begins: it hangs off phase 1, beside phase 2, so that going back to it takes back phase 3 alone.

Its numbers end before `0090_phase2_end`.
"""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("pam", "0001_phase1_initial")]
    operations = []
