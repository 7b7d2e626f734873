"""Django's entry for the domain."""

from django.apps import AppConfig


class ChipConfig(AppConfig):
    """芯片钱包."""

    name = "onecard.services.chip"
    label = "chip"
    verbose_name = "芯片钱包"
    default_auto_field = "django.db.models.BigAutoField"
