"""The Django app of the management centre."""

from django.apps import AppConfig, apps
from django.utils.translation import gettext_lazy as _


class CentreConfig(AppConfig):
    """Registers what the audit log watches by itself, once all models are there."""

    name = "onecard.consoles.centre"
    label = "centre"
    verbose_name = _("Management centre")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from onecard.consoles.centre.audit import watch_users

        watch_users()
        for config in apps.get_app_configs():
            if config.name.startswith("onecard.") and isinstance(config.verbose_name, str):
                config.verbose_name = _(config.verbose_name)  # services name themselves in Chinese; pages show them
