"""The Django app of accounts, cards and purses."""

from django.apps import AppConfig


class PursesConfig(AppConfig):
    """Accounts, cards and purses."""

    name = "onecard.services.purses"
    label = "purses"
    verbose_name = "账户与钱包"
    default_auto_field = "django.db.models.BigAutoField"
