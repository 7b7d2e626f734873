"""The Django app of payment codes."""

from django.apps import AppConfig


class PayCodesConfig(AppConfig):
    """Payment codes."""

    name = "onecard.services.paycodes"
    label = "paycodes"
    verbose_name = "付款码"
    default_auto_field = "django.db.models.BigAutoField"
