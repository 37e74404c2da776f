from django.apps import AppConfig
from django.core.checks import Tags, register

from pam.postgres.key_lookups import register_key_lookups
from pam.postgres.lookups import register_lookups


class PamConfig(AppConfig):
    name = "pam"
    verbose_name = "Privileged access"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        register_lookups()
        register_key_lookups()
        # Models, which checks read, can be imported only now.
        from pam.checks import check_health

        register(check_health, Tags.database)
