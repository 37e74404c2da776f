"""The entry point for WSGI servers."""

import os

from django.core.wsgi import get_wsgi_application

from menshun.charsets import refuse_other_charsets

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "menshun.settings")

application = refuse_other_charsets(get_wsgi_application())
