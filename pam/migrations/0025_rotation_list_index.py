"""Rotations that are done lie behind all that are planned, by which the list begins.

They are nearly all: so the planner takes the index of the whole list for them, and reads past every rotation that is
still to come, unless theirs is smaller. Interrupted, it is simply run again.
"""

from django.db import migrations
from django.db.models import Q

from pam.postgres.indexes import Index
from pam.postgres.operations import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("pam", "0022_list_indexes")]
    operations = [
        AddIndexConcurrently(
            "credentialrotation",
            Index(
                fields=["scheduled_date", "id"],
                name="ix_credential_rotations_list_done",
                condition=Q(("is_deleted", False), ("status", "completed")),
            ),
        ),
    ]
