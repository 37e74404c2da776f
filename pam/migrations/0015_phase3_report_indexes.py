"""What the lists of reports are ordered and filtered by: a page is found without reading and sorting the whole view.

On a view the operation builds plainly: that hinders no reader either. Interrupted, it is simply run again.
"""

from django.db import migrations
from django.db.models import Q

from pam.postgres.indexes import Index
from pam.postgres.operations import AddIndexConcurrently

ORDER = ("-privileged_roles", "-roles", "key")


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("pam", "0014_phase3_reporting_views")]
    operations = [
        AddIndexConcurrently(
            "accountriskreport",
            Index(fields=ORDER, name="ix_report_account_risk_list"),
        ),
        AddIndexConcurrently(
            "accountriskreport",
            Index(fields=["kind", *ORDER], name="ix_report_account_risk_list_kind"),
        ),
        AddIndexConcurrently(
            "accountriskreport",
            Index(fields=ORDER, name="ix_report_account_risk_list_open", condition=Q(("is_closed", False))),
        ),
        AddIndexConcurrently(
            "accountriskreport",
            Index(fields=["risk_level", *ORDER], name="ix_report_account_risk_list_risk"),
        ),
        AddIndexConcurrently(
            "accountriskreport",
            Index(fields=["compliance_status", *ORDER], name="ix_report_account_risk_list_compliance"),
        ),
        AddIndexConcurrently(
            "privilegedaccessreport",
            Index(fields=["-is_privileged", "-assignments", "key"], name="ix_report_privileged_access_list"),
        ),
    ]
