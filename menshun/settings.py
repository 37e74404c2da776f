"""Settings; what differs between a checkout and an installation comes from the environment (see environment.py)."""

import os
from datetime import timedelta
from pathlib import Path

from menshun.environment import read_environment, secret, whole_number
from menshun.proxies import read_proxies
from menshun.security import PAGE_POLICY, security_settings, static_file_settings

BASE_DIR = Path(__file__).resolve().parent.parent
_environment = read_environment(os.environ, embedded_folder=BASE_DIR / ".postgres")

SECRET_KEY = _environment.secret_key
DEBUG = _environment.debug
ALLOWED_HOSTS = _environment.allowed_hosts
# Django's own defaults, which a checkout has too: framed by nobody, nosniff, cookies that no script reads.
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = PAGE_POLICY
FILE_UPLOAD_HANDLERS = ["menshun.uploads.RefuseFiles"]
# Whose word is taken for who asks, and whether by HTTPS.
PAM_TRUSTED_PROXIES = read_proxies(os.environ)
if not DEBUG:
    globals().update(security_settings(behind_proxy=bool(PAM_TRUSTED_PROXIES)), **static_file_settings())

DATABASES = {"default": _environment.database}
# psqlextra adds its features to this backend, which starts the embedded server and explains failed connections.
POSTGRES_EXTRA_DB_BACKEND_BASE = "menshun.backend"
# How many months of partitions are made ahead of now, and how many workers copy rows when a table is converted.
PAM_PARTITION_PREMAKE = whole_number(os.environ, "PAM_PARTITION_PREMAKE", 4)
PAM_COPY_WORKERS = whole_number(os.environ, "PAM_COPY_WORKERS", 2)
# That copy holds while a replica is so many megabytes behind, or a commit takes so many times what it took before; 0:
# whatever they do. A replica in good health may be behind by the 16 MB that each worker is at, and some more.
PAM_COPY_REPLICA_LAG_MB = whole_number(os.environ, "PAM_COPY_REPLICA_LAG_MB", max(256, 64 * PAM_COPY_WORKERS), least=0)
PAM_COPY_COMMIT_FACTOR = whole_number(os.environ, "PAM_COPY_COMMIT_FACTOR", 10, least=0)
# How large the database may become, such as 50GB; `pam_sizes` says when it will be. Empty: there is no budget.
PAM_SIZE_BUDGET = os.environ.get("PAM_SIZE_BUDGET", "").strip() or None
# Prometheus reads /metrics by this token; without one there is no such page.
PAM_METRICS_TOKEN = secret(os.environ, "PAM_METRICS_TOKEN")
# For how many days at least scans must have been counted before pam_indexes calls an index unused; 0: for however few.
PAM_UNUSED_INDEX_DAYS = whole_number(os.environ, "PAM_UNUSED_INDEX_DAYS", 30, least=0)
PSQLEXTRA_PARTITIONING_MANAGER = "pam.partitions.manager.manager"
# The library would create the extension hstore, which nothing here uses.
POSTGRES_EXTRA_AUTO_EXTENSION_SET_UP = False

INSTALLED_APPS = [
    "pam",
    "menshun",  # before staticfiles, whose runserver it extends
    "pam.apps.StaffSiteConfig",  # django.contrib.admin
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "psqlextra",
    "axes",
]

MIDDLEWARE = [
    "menshun.proxies.heed_proxies",
    "menshun.healthz.answer_health",
    "django.middleware.security.SecurityMiddleware",
    # `runserver` finds static files by itself.
    *([] if DEBUG else ["whitenoise.middleware.WhiteNoiseMiddleware"]),
    "csp.middleware.CSPMiddleware",
    "menshun.nul_characters.refuse_nul_characters",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "menshun.urls"
WSGI_APPLICATION = "menshun.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
# Who fails to sign in too often waits: for each name at each address, so that a stranger locks out nobody but himself
# (see also throttle.py). The audit log tells of it, so axes keeps no log of its own.
AXES_HANDLER = "menshun.throttle.Counter"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_CALLABLE = "menshun.throttle.refuse"
AXES_USERNAME_CALLABLE = "pam.sign_ins.typed_name"
AXES_CLIENT_IP_CALLABLE = "menshun.throttle.address_of"
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en-us"
USE_TZ = True
TIME_ZONE = "UTC"
FORMAT_MODULE_PATH = "menshun.formats"
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"

# What a migration or command reports as it goes is for the person who runs it.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"message": {"format": "{message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "message"}},
    "loggers": {
        "pam": {"level": "INFO", "handlers": ["stderr"]},
        # By default Django tells an error of an installation by mail only, and there is nobody to send it to.
        **({} if DEBUG else {"django": {"level": "WARNING", "handlers": ["stderr"]}}),
    },
}
