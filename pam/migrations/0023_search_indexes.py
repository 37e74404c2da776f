"""What people and credentials are searched by. With phase 2's extension, and so with phase 2, these go back.

Interrupted, it is simply run again.
"""

from django.db import migrations

from pam.postgres.indexes import GinIndex
from pam.postgres.operations import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("pam", "0003_phase2_trigram_extension"), ("pam", "0022_list_indexes")]
    operations = [
        AddIndexConcurrently(
            "privilegeduser",
            GinIndex(
                fields=["upn", "display_name", "email"],
                name="ix_privileged_users_search_gin",
                opclasses=["gin_trgm_ops", "gin_trgm_ops", "gin_trgm_ops"],
            ),
        ),
        AddIndexConcurrently(
            "credential",
            GinIndex(
                fields=["name", "description"],
                name="ix_credentials_search_gin",
                opclasses=["gin_trgm_ops", "gin_trgm_ops"],
            ),
        ),
    ]
