"""Django's entry for the domain."""

from django.apps import AppConfig


class KeysConfig(AppConfig):
    """统一密钥."""

    name = "onecard.services.keys"
    label = "keys"
    verbose_name = "统一密钥"
    default_auto_field = "django.db.models.BigAutoField"
