"""The errors of this project: each says what is wrong and ends with the next command to run.

They are CommandErrors, so that `manage.py` prints them as one sentence and exits with 1, whichever command met them.
"""

from django.core.management import CommandError


class MenshunError(CommandError):
    """Base of every error that menshun raises by itself."""
