"""Settings (a first stub; the embedded server and DATABASE_URL follow)."""

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "stub"
DEBUG = True
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = [
    "pam",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "psqlextra",
]
DATABASES = {
    "default": {
        "ENGINE": "psqlextra.backend",
        "NAME": "postgres",
        "USER": "postgres",
        "HOST": os.environ.get("STUB_PG_HOST", ""),
    }
}
POSTGRES_EXTRA_AUTO_EXTENSION_SET_UP = False
USE_TZ = True
TIME_ZONE = "UTC"
