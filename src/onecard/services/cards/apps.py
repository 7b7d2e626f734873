"""Django's entry for the domain."""

from django.apps import AppConfig


class CardsConfig(AppConfig):
    """卡片."""

    name = "onecard.services.cards"
    label = "cards"
    verbose_name = "卡片"
    default_auto_field = "django.db.models.BigAutoField"
