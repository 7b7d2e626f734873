"""The Django app of the management centre."""

from django.apps import AppConfig
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
