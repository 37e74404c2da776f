"""The rotations of one status end in the key, as their list is ordered: what is done lies behind all that is to come.

The index of 0022 lacked the key: the planner took that of the whole list, and read past every rotation that is planned.
Interrupted, it is simply run again.
"""

from django.db import migrations

from pam.postgres.indexes import Index
from pam.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("pam", "0022_list_indexes")]
    operations = [
        AddIndexConcurrently(
            "credentialrotation",
            Index(
                fields=["is_deleted", "status", "scheduled_date", "id"], name="ix_credential_rotations_list_by_status"
            ),
        ),
        RemoveIndexConcurrently("credentialrotation", "ix_credential_rotations_list_status"),
    ]
