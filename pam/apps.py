from django.apps import AppConfig
from django.contrib.admin import apps as admin
from django.core.checks import Tags, register

from pam.postgres.key_lookups import register_key_lookups
from pam.postgres.lookups import register_lookups


class StaffSiteConfig(admin.AdminConfig):
    """Django's admin, with our site."""

    default = False
    default_site = "pam.staff_site.StaffSite"


class PamConfig(AppConfig):
    name = "pam"
    verbose_name = "Privileged access"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        register_lookups()
        register_key_lookups()
        # Models, which checks read, can be imported only now.
        from pam import sign_ins  # noqa: F401 (it listens)
        from pam.checks import check_health

        register(check_health, Tags.database)
