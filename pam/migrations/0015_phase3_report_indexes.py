"""What the lists of the reports are ordered by: a page of them is found without reading and sorting the whole view.

Interrupted, it is simply run again.
"""

from django.db import migrations

from pam.postgres.indexes import Index
from pam.postgres.operations import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("pam", "0014_phase3_reporting_views")]
    operations = [
        AddIndexConcurrently(
            "accountriskreport",
            Index(fields=["-privileged_roles", "-roles", "key"], name="ix_report_account_risk_list"),
        ),
        AddIndexConcurrently(
            "privilegedaccessreport",
            Index(fields=["-is_privileged", "-assignments", "key"], name="ix_report_privileged_access_list"),
        ),
    ]
