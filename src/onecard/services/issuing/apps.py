"""Django's entry for the domain."""

from django.apps import AppConfig


class IssuingConfig(AppConfig):
    """制卡."""

    name = "onecard.services.issuing"
    label = "issuing"
    verbose_name = "制卡"
    default_auto_field = "django.db.models.BigAutoField"
