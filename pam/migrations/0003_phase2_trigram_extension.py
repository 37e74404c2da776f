"""pg_trgm, for search by any part of a text."""

from django.db import migrations

from pam.postgres.operations import TrigramExtension


class Migration(migrations.Migration):
    # Atomic: an extension that is made and one that is marked as ours are the same thing.
    dependencies = [("pam", "0002_phase2_begin")]
    operations = [TrigramExtension()]
