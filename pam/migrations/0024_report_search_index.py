"""What accounts are searched by in their report. It needs the report and the trigrams' extension, and goes with either.

On a view the operation builds plainly: that hinders no reader either. Interrupted, it is simply run again.
"""

from django.db import migrations

from pam.postgres.indexes import GinIndex
from pam.postgres.operations import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("pam", "0003_phase2_trigram_extension"), ("pam", "0014_phase3_reporting_views")]
    operations = [
        AddIndexConcurrently(
            "accountriskreport",
            GinIndex(
                fields=["name", "department"],
                name="ix_report_account_risk_search_gin",
                opclasses=["gin_trgm_ops", "gin_trgm_ops"],
            ),
        ),
    ]
