"""The Django app of what travels to front-ends."""

from django.apps import AppConfig


class OfflineConfig(AppConfig):
    """Lists and rules for deciding off line."""

    name = "onecard.services.offline"
    label = "offline"
    verbose_name = "脱机规则"
    default_auto_field = "django.db.models.BigAutoField"
