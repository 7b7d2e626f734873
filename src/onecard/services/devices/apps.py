"""The Django app of lines and terminals."""

from django.apps import AppConfig


class DevicesConfig(AppConfig):
    """Lines, terminals and what the gateway reports of them."""

    name = "onecard.services.devices"
    label = "devices"
    verbose_name = "终端与前置机"
    default_auto_field = "django.db.models.BigAutoField"
