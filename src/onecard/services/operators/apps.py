"""The Django app of the operator tree."""

from django.apps import AppConfig


class OperatorsConfig(AppConfig):
    """Operators, units, merchants and card types."""

    name = "onecard.services.operators"
    label = "operators"
    verbose_name = "运营与接入单位"
    default_auto_field = "django.db.models.BigAutoField"
